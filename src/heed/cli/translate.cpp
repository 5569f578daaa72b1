// heed translate: lines in, translations out, in order, in constant memory.
#include "heed/cli/commands.h"
#include "heed/cli/decode_options.h"
#include "heed/cli/source_options.h"

namespace heed::cli {

int run_translate(Command& command) {
  std::filesystem::path folder;
  std::string input = "-";
  DecodeOptions decoding;
  SourceOptions source;
  size_t window = 4096;
  command.about("Translates each line of standard input (or of a file). Line n of the output is line n of the input.");
  command.example("heed translate --model model/ < test.en > test.hyp", "translate a file");
  command.example("heed translate --model model/ --beam 1 --json < test.en", "greedy search, with scores");
  command.example("echo 'A dog runs.' | heed translate --model model/ --n-best 3 --beam 5", "three translations");
  command.example("heed translate --model model/ --task translation_en_to_de < test.en",
                  "a model that knows several tasks");
  command.options().add("model", folder, "Folder of the model").required();
  command.options().add("input", input, "File to read, plain, gzip or zstd; - is standard input");
  command.options().add("window", window, "Lines read ahead to be sorted by length").range(1, 1 << 20);
  source.add_to(command, true);
  decoding.add_to(command);
  command.use_model();
  command.use_seed();
  command.use_json();
  command.parse();

  const auto model = tasks::TranslationModel::load(folder, command.load_options());
  const tasks::TaskParameters task = source.task(model);
  tasks::TranslateOptions options = decoding.resolve(model, command.common(), task.generation);
  options.source = source.limits(task);
  stream_lines(command, model, options, input, window, "lines");
  return kOk;
}

}  // namespace heed::cli
