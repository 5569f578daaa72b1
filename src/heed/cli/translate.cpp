// heed translate: lines in, translations out, in order, in constant memory.
#include <unistd.h>

#include <chrono>

#include "heed/base/json.h"
#include "heed/cli/commands.h"
#include "heed/cli/decode_options.h"
#include "heed/cli/terminal.h"
#include "heed/data/line_reader.h"

namespace heed::cli {
namespace {

std::string as_json(const std::vector<tasks::Translation>& translations) {
  const auto one = [](const tasks::Translation& t) {
    return Json{{"text", t.text}, {"score", t.score}, {"sum_log_prob", t.sum_log_prob}, {"ids", t.ids}};
  };
  Json line = one(translations.at(0));
  if (translations.size() > 1) {
    line["n_best"] = Json::array();
    for (const auto& t : translations) line["n_best"].push_back(one(t));
  }
  return line.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

int run_translate(Command& command) {
  std::filesystem::path folder;
  std::string input = "-";
  DecodeOptions decoding;
  size_t window = 4096;
  command.about("Translates each line of standard input (or of a file). Line n of the output is line n of the input.");
  command.example("heed translate --model model/ < test.en > test.hyp", "translate a file");
  command.example("heed translate --model model/ --beam 1 --json < test.en", "greedy search, with scores");
  command.example("echo 'A dog runs.' | heed translate --model model/ --n-best 3 --beam 5", "three translations");
  command.options().add("model", folder, "Folder of the model").required();
  command.options().add("input", input, "File to read, plain, gzip or zstd; - is standard input");
  command.options().add("window", window, "Lines read ahead to be sorted by length").range(1, 1 << 20);
  decoding.add_to(command);
  command.use_threads();
  command.use_seed();
  command.use_json();
  command.parse();

  const auto begin = std::chrono::steady_clock::now();
  const auto model = tasks::TranslationModel::load(folder);
  tasks::TranslateOptions options = decoding.resolve(model, command.common());
  // Who types lines at a terminal waits for each answer.
  options.window = input == "-" && is_terminal(STDIN_FILENO) ? 1 : window;
  data::LineReader reader(input);
  Progress progress = command.progress();
  uint64_t done = 0;
  const auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
  const auto report = tasks::translate_stream(
      model, options,
      [&]() -> std::optional<std::string> {
        std::string line;
        if (!reader.next(line)) return std::nullopt;
        return line;
      },
      [&](std::vector<tasks::Translation>&& translations) {
        if (command.common().json) command.output().line(as_json(translations));
        else
          for (const auto& t : translations) command.output().line(t.text);
        ++done;
        progress.update([&] {
          return fmt::format("{} lines  {}", done, format_rate(static_cast<double>(done) / seconds(), "lines"));
        });
      });
  command.output().flush();
  const auto rate = static_cast<double>(report.target_tokens) / seconds();
  progress.finish(fmt::format("{} lines ({} empty, {} cut) in {}, {}", report.lines, report.empty, report.cut,
                              format_duration(seconds()), format_rate(rate, "target tokens")));
  return kOk;
}

}  // namespace heed::cli
