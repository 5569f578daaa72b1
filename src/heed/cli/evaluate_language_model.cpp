// heed evaluate language-model: how well a causal language model predicts text, as its training measures it.
#include "heed/cli/commands.h"
#include "heed/cli/running_text_options.h"
#include "heed/io/model_folder.h"
#include "heed/models/registry.h"
#include "heed/tasks/causal_text.h"

namespace heed::cli {

int run_evaluate_language_model(Command& command) {
  std::filesystem::path folder;
  EvaluatedTextOptions text;
  tasks::CausalTextOptions rows;
  tasks::PerplexityOptions options;
  command.about(
      "The loss of a causal language model on text, as its training measures it on held-out text: all documents are "
      "one stream of tokens, cut into windows, or with --no-packed each a row for itself. heed perplexity scores each "
      "text for itself instead, in windows that overlap.");
  command.example("heed evaluate language-model --model model/ --data test.txt --json", "");
  command.example("heed evaluate language-model --model model/ --data input.txt --valid-fraction 0.1",
                  "the part that the training held out");
  command.example("heed evaluate language-model --model model/ --data test.txt --stride 16",
                  "overlapping windows: every token sees more of what is before it");
  Options& o = command.options();
  o.add("model", folder, "Folder of the model").required();
  text.add_to(o);
  o.add("packed", rows.packed, "Lay documents one behind the other");
  o.add("end-token", rows.end_token, "Put the tokenizer's end token between documents (behind each: --no-packed)");
  o.add("window", options.window, "Tokens that the model sees at once").at_least(0).default_text("all its positions");
  o.add("stride", options.stride, "Tokens by which windows move on").at_least(0).default_text("a window");
  o.add("batch-tokens", options.batch_tokens, "Tokens computed together").at_least(1);
  command.use_model();
  command.use_json();
  command.parse();

  const auto model = models::load_as<models::CausalModel>(io::ModelFolder::open(folder), command.load_options());
  const auto tokenizer = text::load_tokenizer(folder);
  rows.block = static_cast<uint32_t>(options.window > 0 ? options.window : model->max_length());
  const tasks::CausalText examples(text.text(), *tokenizer, rows);
  const data::TextCounts& counts = examples.stream().counts();
  const auto begin = std::chrono::steady_clock::now();
  const auto result = examples.perplexity(*model, options).value();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  command.write_result(
      {{"loss", result.loss()},
       {"perplexity", result.perplexity()},
       {"bits_per_byte", result.bits_per_byte(counts.bytes)},
       {"tokens", result.tokens},
       {"bytes", counts.bytes},
       {"documents", counts.documents},
       {"windows", result.windows},
       {"seconds", seconds}},
      fmt::format("loss {:.4f}  perplexity {:.4f}  bits per byte {:.4f}  ({} tokens, {} bytes)", result.loss(),
                  result.perplexity(), result.bits_per_byte(counts.bytes), result.tokens, counts.bytes));
  return kOk;
}

}  // namespace heed::cli
