// heed evaluate translation: translate a test set and score it.
#include <chrono>

#include "heed/cli/commands.h"
#include "heed/cli/decode_options.h"
#include "heed/cli/files.h"
#include "heed/cli/source_options.h"
#include "heed/metrics/bleu.h"
#include "heed/metrics/chrf.h"

namespace heed::cli {

int run_evaluate_translation(Command& command) {
  std::filesystem::path folder, source;
  std::vector<std::filesystem::path> references;
  std::string tokenizer = "13a";
  DecodeOptions decoding;
  SourceOptions source_options;
  command.about("Translates the source lines and scores the result by BLEU and chrF as sacreBLEU does.");
  command.example("heed evaluate translation --model model/ --source test.en --reference test.de --beam 5 --json", "");
  command.options().add("model", folder, "Folder of the model").required();
  command.options().add("source", source, "Source lines").required();
  command.options().add("reference", references, "Their reference translation; give it again for more").required();
  command.options().add("tokenize", tokenizer, "BLEU's tokenizer").choices({"13a", "intl", "char", "zh", "none"});
  source_options.add_to(command, true);
  decoding.add_to(command);
  command.use_model();
  command.use_seed();
  command.use_json();
  command.parse();
  check<UsageError>(!command.options().given("n-best"), "--n-best: one output of each text is scored");

  const auto model = tasks::TranslationModel::load(folder, command.load_options());
  const tasks::TaskParameters task = source_options.task(model);
  auto options = decoding.resolve(model, command.common(), task.generation);
  options.source = source_options.limits(task);
  const auto sources = read_lines(source);
  std::vector<std::vector<std::string>> texts;
  texts.reserve(references.size());
  for (const auto& file : references) {
    texts.push_back(read_lines(file));
    check<DataError>(texts.back().size() == sources.size(), "{}: {} lines, where {} has {}", file.string(),
                     texts.back().size(), source.string(), sources.size());
  }
  const auto begin = std::chrono::steady_clock::now();
  const auto hypotheses = tasks::translate_lines(model, options, sources);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  metrics::BleuOptions bleu_options;
  bleu_options.tokenizer = metrics::bleu_tokenizer(tokenizer);
  const metrics::References reference = metrics::references_by_segment(texts);
  const auto bleu = metrics::corpus_bleu(hypotheses, reference, bleu_options);
  const auto chrf = metrics::corpus_chrf(hypotheses, reference);
  const std::string signature = metrics::bleu_signature(bleu_options, reference);
  command.write_result(
      {{"bleu", bleu.score},
       {"chrf", chrf.score},
       {"signature", signature},
       {"lines", sources.size()},
       {"beam", options.decode.beam},
       {"seconds", seconds}},
      fmt::format("{}\n{}", bleu.format(2, signature), chrf.format(2, metrics::chrf_signature({}, reference))));
  return kOk;
}

}  // namespace heed::cli
