// heed evaluate denoise: how well an encoder-decoder restores corrupted text.
#include <cmath>

#include "heed/cli/commands.h"
#include "heed/cli/denoise_options.h"
#include "heed/cli/running_text_options.h"
#include "heed/io/model_folder.h"
#include "heed/models/registry.h"
#include "heed/tasks/denoising_training.h"

namespace heed::cli {

int run_evaluate_denoise(Command& command) {
  std::filesystem::path folder;
  EvaluatedTextOptions text;
  DenoiseOptions denoise;
  int block = 0;
  command.about(
      "Corrupts a text, drawn by --seed, and gives the loss of a model that shall restore it. What training reports of "
      "held-out text is this with its own seed.");
  command.example("heed evaluate denoise --model model/ --data test.txt --json", "");
  Options& o = command.options();
  o.add("model", folder, "Folder of the model").required();
  text.add_to(o);
  denoise.add_to(o);
  o.add("block", block, "Tokens of text of an example; 0: as in training").range(0, 1 << 20);
  command.use_model();
  command.use_seed();
  command.use_json();
  command.parse();

  const auto model = models::load_seq2seq(io::ModelFolder::open(folder), command.load_options());
  const auto tokenizer = text::load_tokenizer(folder);
  tasks::NoisyTextOptions& noise = denoise.noise;
  noise.kind = denoise.kind.value_or(tasks::denoising_for(*tokenizer));
  const uint32_t usual = tasks::DenoisingTrainingOptions().usual_block;
  noise.block = tasks::denoising_block(*tokenizer, model->max_length(), static_cast<uint32_t>(block), usual);
  noise.seed = command.common().seed;
  const tasks::NoisyText noisy(text.text(), *tokenizer, noise);
  const auto score = tasks::noisy_score(*model, noisy).value();
  const double perplexity = std::exp(score.loss);
  command.write_result(
      {{"loss", score.loss},
       {"perplexity", perplexity},
       {"targets", score.tokens},
       {"tokens", noisy.stream().size()},
       {"examples", noisy.size()}},
      fmt::format("loss {:.4f}  perplexity {:.4f}  ({} target tokens)", score.loss, perplexity, score.tokens));
  return kOk;
}

}  // namespace heed::cli
