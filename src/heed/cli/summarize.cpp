// heed summarize: documents in, summaries out, in order.
#include "heed/base/files.h"
#include "heed/cli/commands.h"
#include "heed/cli/decode_options.h"
#include "heed/cli/source_options.h"
#include "heed/text/line_reader.h"

namespace heed::cli {

int run_summarize(Command& command) {
  std::filesystem::path folder;
  std::string input = "-";
  std::vector<std::string> files;
  size_t window = 256;
  DecodeOptions decoding;
  SourceOptions source;
  command.about(
      "Summarizes documents: each line of standard input (or of a file), or each of several files. Document n gives\n"
      "line n of the output. Lengths, search and prefix are what the model's folder says of the task "
      "\"summarization\".");
  command.example("heed summarize --model model/ < articles.txt", "a document on each line");
  command.example("heed summarize --model model/ --document a.txt --document b.txt --beam 4", "files as they are");
  command.options().add("model", folder, "Folder of the model").required();
  command.options().add("input", input, "File with a document a line, plain, gzip or zstd; - is standard input");
  command.options().add("document", files, "A file that is one document, in place of --input; give it again for more");
  command.options().add("window", window, "Documents read ahead to be sorted by length").range(1, 1 << 20);
  source.add_to(command, true);
  decoding.add_to(command);
  command.use_model();
  command.use_seed();
  command.use_json();
  command.parse();
  check<UsageError>(files.empty() || !command.options().given("input"), "--document takes the place of --input");

  const auto model = tasks::TranslationModel::load(folder, command.load_options());
  const tasks::TaskParameters task = source.task(model, "summarization");
  tasks::TranslateOptions options = decoding.resolve(model, command.common(), task.generation);
  options.source = source.limits(task);
  if (files.empty()) {
    stream_lines(command, model, options, input, window, "documents");
    return kOk;
  }
  options.window = window;
  size_t next = 0;
  const auto next_file = [&]() -> std::optional<std::string> {
    if (next == files.size()) return std::nullopt;
    return text::cleaned(read_file(files[next++]));
  };
  stream_texts(command, model, options, next_file, "documents");
  return kOk;
}

}  // namespace heed::cli
