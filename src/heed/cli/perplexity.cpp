// heed perplexity: how well a causal language model predicts text.
#include "heed/tasks/perplexity.h"

#include "heed/base/error.h"
#include "heed/base/json.h"
#include "heed/cli/commands.h"
#include "heed/io/model_folder.h"
#include "heed/models/registry.h"
#include "heed/text/line_reader.h"
#include "heed/text/tokenizer.h"

namespace heed::cli {
namespace {

// The texts of a file: the whole of it, or each of its lines.
struct Texts {
  std::vector<std::vector<int32_t>> ids;
  uint64_t bytes = 0;

  void add(const text::Tokenizer& tokenizer, const std::string& text) {
    ids.push_back(tokenizer.encode(text));
    bytes += text.size();
  }

  void read(const text::Tokenizer& tokenizer, const std::string& file, bool lines) {
    text::LineReader reader(file);
    std::string whole, line;
    while (reader.next(line)) {
      if (lines) add(tokenizer, line);
      else whole.append(line).push_back('\n');
    }
    if (!lines) add(tokenizer, whole);
  }
};

}  // namespace

int run_perplexity(Command& command) {
  std::filesystem::path folder;
  std::vector<std::string> inputs = {"-"};
  bool lines = false;
  tasks::PerplexityOptions options;
  command.about(
      "The perplexity of a causal language model on text, in overlapping windows as Hugging Face's documentation\n"
      "computes it. Bits per byte compare models with different tokenizers.");
  command.example("heed perplexity --model gpt2/ --input test.txt --stride 512", "a file as one text");
  command.example("heed perplexity --model gpt2/ --lines --json < test.en", "each line a text of its own");
  command.options().add("model", folder, "Folder of the model").required();
  command.options().add("input", inputs, "File to read, plain, gzip or zstd; - is standard input; again for more");
  command.options().add("lines", lines, "Each line is a text of its own, not the whole file");
  command.options()
      .add("window", options.window, "Tokens that the model sees at once")
      .at_least(0)
      .default_text("all its positions");
  command.options()
      .add("stride", options.stride, "Tokens by which windows move on")
      .at_least(0)
      .default_text("half a window");
  command.options().add("batch-tokens", options.batch_tokens, "Tokens computed together").at_least(1);
  command.use_model();
  command.use_json();
  command.parse();

  const auto opened = io::ModelFolder::open(folder);
  const auto model = models::load_as<models::CausalModel>(opened, command.load_options());
  const auto tokenizer = text::load_tokenizer(opened.path());
  Texts texts;
  for (const std::string& file : inputs) texts.read(*tokenizer, file, lines);
  const auto begin = std::chrono::steady_clock::now();
  const tasks::Perplexity result = tasks::perplexity(*model, texts.ids, options);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  command.write_result(
      {{"loss", result.loss()},
       {"perplexity", result.perplexity()},
       {"bits_per_byte", result.bits_per_byte(texts.bytes)},
       {"nll", result.nll},
       {"tokens", result.tokens},
       {"bytes", texts.bytes},
       {"texts", texts.ids.size()},
       {"windows", result.windows},
       {"seconds", seconds}},
      fmt::format("loss {:.4f}  perplexity {:.4f}  bits per byte {:.4f}  ({} tokens, {} bytes)", result.loss(),
                  result.perplexity(), result.bits_per_byte(texts.bytes), result.tokens, texts.bytes));
  return kOk;
}

}  // namespace heed::cli
