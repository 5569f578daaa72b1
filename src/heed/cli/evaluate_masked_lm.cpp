// heed evaluate masked-lm: how well an encoder fills in hidden tokens.
#include <cmath>

#include "heed/cli/commands.h"
#include "heed/cli/running_text_options.h"
#include "heed/tasks/encoder_texts.h"
#include "heed/tasks/masked_text.h"

namespace heed::cli {

int run_evaluate_masked_lm(Command& command) {
  std::filesystem::path folder;
  EvaluatedTextOptions text;
  text.documents.per = data::DocumentsPer::kLine;
  tasks::MaskedTextOptions options;
  int max_length = 0;
  command.about(
      "Hides tokens of a text, drawn by --seed, and says how well the model fills them in: the loss per hidden token, "
      "and how many of them are the likeliest. What training reports of held-out text is this with its own seed.");
  command.example("heed evaluate masked-lm --model model/ --data test.txt --json", "");
  Options& o = command.options();
  o.add("model", folder, "Folder of the model").required();
  text.add_to(o);
  o.add("packed", options.packed, "Lay documents one behind the other");
  o.add("max-length", max_length, "Tokens of an example; 0: the model's positions").at_least(0);
  o.add("mask-probability", options.probability, "Share of the tokens that are hidden").range(0.001, 1);
  o.add("whole-words", options.whole_words, "Hide all tokens of a word, or none");
  command.use_model();
  command.use_seed();
  command.use_json();
  command.parse();

  const auto texts = tasks::EncoderTexts::load(folder, models::Head::kMaskedLM, command.load_options());
  const int positions = texts.model->max_length();
  check<UsageError>(max_length <= positions, "--max-length is {}; the model has {} positions", max_length, positions);
  options.max_length = static_cast<uint32_t>(max_length > 0 ? max_length : positions);
  options.seed = command.common().seed;
  const tasks::MaskedText masked(text.text(), *texts.tokenizer, options);
  const auto score = tasks::masked_score(*texts.model, masked).value();
  const double perplexity = std::exp(score.loss);
  command.write_result({{"loss", score.loss},
                        {"perplexity", perplexity},
                        {"accuracy", score.accuracy},
                        {"masked", score.tokens},
                        {"tokens", masked.stream().size()},
                        {"examples", masked.size()}},
                       fmt::format("loss {:.4f}  perplexity {:.4f}  accuracy {:.4f}  ({} masked tokens)", score.loss,
                                   perplexity, score.accuracy, score.tokens));
  return kOk;
}

}  // namespace heed::cli
