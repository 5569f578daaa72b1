// heed evaluate summarization: summarize documents and score the result.
#include "heed/base/files.h"
#include "heed/cli/commands.h"
#include "heed/cli/decode_options.h"
#include "heed/cli/files.h"
#include "heed/cli/source_options.h"
#include "heed/cli/summary_options.h"
#include "heed/metrics/rouge.h"
#include "heed/text/sentences.h"

namespace heed::cli {
namespace {

// The first sentences of a document: what a summary must beat.
std::string lead_of(const std::string& document, size_t sentences) {
  std::string lead;
  for (const std::string_view sentence : text::split_sentences(document)) {
    if (sentences-- == 0) break;
    lead += fmt::format("{}{}", lead.empty() ? "" : " ", sentence);
  }
  return lead;
}

Json scores_json(const metrics::RougeScores& s) {
  return {{"rouge1", 100 * s.rouge1.f}, {"rouge2", 100 * s.rouge2.f}, {"rougeL", 100 * s.rouge_l.f}};
}

std::string scores_text(const Json& s) {
  return fmt::format("ROUGE-1 {:.2f}  ROUGE-2 {:.2f}  ROUGE-L {:.2f}", s["rouge1"].get<double>(),
                     s["rouge2"].get<double>(), s["rougeL"].get<double>());
}

}  // namespace

int run_evaluate_summarization(Command& command) {
  std::filesystem::path folder, data, predictions;
  tasks::SummaryColumns columns;
  size_t lead = 1;
  DecodeOptions decoding;
  SourceOptions source;
  command.about(
      "Summarizes documents and scores the result by ROUGE as google's rouge-score does (F, with stems, times 100), "
      "beside the documents' first sentences in place of a summary.");
  command.example("heed evaluate summarization --model model/ --data test.jsonl --beam 4 --json", "");
  Options& o = command.options();
  o.add("model", folder, "Folder of the model").required();
  o.add("data", data, "Documents with summaries: .tsv, .csv or .jsonl").required();
  add_columns(o, columns);
  o.add("lead", lead, "Sentences of the baseline").range(1, 1000);
  o.add("predictions", predictions, "Write the summaries to this file, a line each; line ends in them as \\n");
  source.add_to(command, true);
  decoding.add_to(command);
  command.use_model();
  command.use_seed();
  command.use_json();
  command.parse();
  check<UsageError>(!command.options().given("n-best"), "--n-best: one output of each text is scored");
  if (!predictions.empty()) check_output(predictions);

  const auto model = tasks::TranslationModel::load(folder, command.load_options());
  const tasks::TaskParameters task = source.task(model, "summarization");
  tasks::TranslateOptions options = decoding.resolve(model, command.common(), task.generation);
  options.source = source.limits(task);
  const tasks::SummaryExamples examples = tasks::read_summary_examples(data, columns, 0);
  const std::vector<std::string> summaries = tasks::translate_lines(model, options, examples.documents);
  std::vector<std::string> leads;
  std::string lines;
  for (size_t i = 0; i < examples.size(); ++i) {
    leads.push_back(lead_of(examples.documents[i], lead));
    lines += one_line(summaries[i]) + '\n';
  }
  if (!predictions.empty()) write_output(predictions, lines);
  Json json = scores_json(metrics::corpus_rouge(summaries, examples.summaries));
  const Json baseline = scores_json(metrics::corpus_rouge(leads, examples.summaries));
  json["examples"] = examples.size();
  json["lead"] = baseline;
  command.write_result(json,
                       fmt::format("{}  ({} documents)\n{}  (their first {})", scores_text(json), examples.size(),
                                   scores_text(baseline), lead == 1 ? "sentence" : fmt::format("{} sentences", lead)));
  return kOk;
}

}  // namespace heed::cli
