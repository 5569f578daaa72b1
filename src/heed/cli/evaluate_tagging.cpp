// heed evaluate tagging: how good a tagger is on tagged words.
#include <algorithm>

#include "heed/base/files.h"
#include "heed/cli/commands.h"
#include "heed/cli/entity_scores.h"
#include "heed/cli/tagging_options.h"
#include "heed/tasks/tagging_training.h"

namespace heed::cli {
namespace {

// White space in a word or a tag, or none of it, would change the number of columns.
std::string column(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }, '_');
  return text.empty() ? "_" : text;
}

// CoNLL lines of word, expected and found tag, as conlleval reads them.
std::string predictions_text(const data::TaggedText& text, const metrics::TagSequences& found) {
  std::string lines;
  for (size_t i = 0; i < found.size(); ++i) {
    const data::TaggedSentence& sentence = text.sentences[i];
    for (size_t w = 0; w < sentence.words.size(); ++w)
      lines += fmt::format("{} {} {}\n", column(sentence.words[w]), column(sentence.tags[w]), column(found[i][w]));
    lines += '\n';
  }
  return lines;
}

}  // namespace

int run_evaluate_tagging(Command& command) {
  std::filesystem::path folder, data, predictions;
  auto context = tasks::TagContext::kSentence;
  size_t batch_size = 64;
  int max_length = 0;
  command.about(
      "Tags words whose tags are known and scores the entities as conlleval and seqeval do. Tags by IOB1 are read as "
      "BIO; an entity is right if its type, its first and its last word are.");
  command.example("heed evaluate tagging --model model/ --data eng.testb --json", "");
  command.example("heed evaluate tagging --model model/ --data eng.testb --predictions found.conll",
                  "word, expected and found tag a line, for conlleval");
  Options& o = command.options();
  o.add("model", folder, "Folder of the model").required();
  o.add("data", data, "Tagged words: CoNLL columns or .jsonl").required();
  add_tag_context(o, context);
  o.add("predictions", predictions, "Write words with expected and found tags to this file");
  o.add("max-length", max_length, "Tokens read at once; 0: the model's positions").range(0, 1 << 20);
  o.add("batch-size", batch_size, "Texts computed together").range(1, 4096);
  command.use_model();
  command.use_json();
  command.parse();
  if (!predictions.empty()) check_output(predictions);

  const auto tagger = tasks::Tagger::load(folder, command.load_options());
  const auto most = static_cast<size_t>(tagger.model->max_length());
  check<UsageError>(static_cast<size_t>(max_length) <= most, "--max-length is {}; the model has {} positions",
                    max_length, most);
  const data::TaggedText text = tasks::read_tagged(data, 0);
  const auto examples = tasks::make_tagging_examples(text, *tagger.tokenizer, tagger.model->labels(), context);
  const auto result = tasks::evaluate_tagger(tagger, text, examples,
                                             max_length > 0 ? static_cast<size_t>(max_length) : most, batch_size);
  if (!predictions.empty()) write_output(predictions, predictions_text(text, result.tags));
  std::string scores = result.report.conlleval();
  scores.pop_back();  // its last line's end
  Json json = entity_scores(result.report);
  json["loss"] = result.loss;
  json["sentences"] = text.sentences.size();
  json["words"] = result.report.tokens;
  command.write_result(json, scores);
  return kOk;
}

}  // namespace heed::cli
