// heed average: the mean of the weights of several models or checkpoints.
#include "heed/cli/commands.h"
#include "heed/train/averaging.h"

namespace heed::cli {

int run_average(Command& command) {
  std::filesystem::path output;
  std::vector<std::filesystem::path> inputs;
  command.about(
      "Writes a model whose weights are the mean of those of the given models of one structure. Each is a model's\n"
      "folder or a checkpoint of a training; configuration and tokenizer are the first one's.");
  command.example("heed average --output mean/ model/checkpoints/step-004750 model/checkpoints/step-005000", "");
  command.example("heed average --output soup/ seed1/ seed2/ seed3/", "trainings from one beginning");
  command.options().add("output", output, "Folder to write, which must not exist").required();
  command.options().add_positional("models", inputs, "Model folders or checkpoints").required();
  command.parse();

  train::average_models(inputs, output);
  command.progress().finish(fmt::format("{} is the mean of {} models", output.string(), inputs.size()));
  return kOk;
}

}  // namespace heed::cli
