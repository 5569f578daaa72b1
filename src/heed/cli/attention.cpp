// heed attention: the decoder's attention to the source, as a picture in the terminal.
#include <unicode/uchar.h>

#include <algorithm>

#include "heed/base/json.h"
#include "heed/base/utf8.h"
#include "heed/cli/commands.h"
#include "heed/cli/source_options.h"
#include "heed/tasks/alignment.h"
#include "heed/text/line_reader.h"

namespace heed::cli {
namespace {

// Columns that a text takes in a terminal: wide East Asian characters take two.
size_t display_width(const std::string& text) {
  size_t width = 0;
  for (const char32_t c : to_code_points(text)) {
    const int kind = u_getIntPropertyValue(static_cast<UChar32>(c), UCHAR_EAST_ASIAN_WIDTH);
    width += kind == U_EA_WIDE || kind == U_EA_FULLWIDTH ? 2 : 1;
  }
  return width;
}

std::string padded(const std::string& text, size_t width) {
  const size_t taken = display_width(text);
  return text + std::string(width > taken ? width - taken : 0, ' ');
}

// Five shades, a step for each fifth of the weight.
std::string shade(float weight, size_t width) {
  constexpr const char* kShades[] = {" ", "░", "▒", "▓", "█"};
  const auto level = static_cast<size_t>(std::clamp(weight * 5.0f, 0.0f, 4.0f));
  std::string cell;
  for (size_t i = 0; i + 1 < width; ++i) cell += kShades[level];
  return cell + " ";
}

void draw(Output& out, const tasks::Alignment& a) {
  size_t first = 0;
  for (const auto& token : a.target_tokens) first = std::max(first, display_width(token) + 2);
  std::string header(first, ' ');
  std::vector<size_t> widths;
  for (const auto& token : a.source_tokens) {
    widths.push_back(std::max<size_t>(display_width(token), 3) + 1);
    header += padded(token, widths.back());
  }
  out.line(header);
  for (size_t t = 0; t < a.target_tokens.size(); ++t) {
    std::string row = padded(a.target_tokens[t], first);
    for (size_t s = 0; s < widths.size(); ++s) row += shade(a.weights[t][s], widths[s]);
    out.line(row);
  }
}

}  // namespace

int run_attention(Command& command) {
  std::filesystem::path folder;
  std::string target;
  int layer = -1, head = -1;
  SourceOptions source;
  command.about(
      "Shows what the decoder looks at while it writes a translation: a row for each target token, a column for\n"
      "each source token, darker where the attention is stronger.");
  command.example("echo 'I am a student' | heed attention --model model/", "of the model's own translation");
  command.example("echo 'I am a student' | heed attention --model model/ --target '我 是 一个 学生' --layer 0 --head 2",
                  "of a given one");
  command.options().add("model", folder, "Folder of the model").required();
  command.options().add("target", target, "The translation; by default the model's own");
  command.options().add("layer", layer, "Decoder layer, from 0; -1: the last").at_least(-1);
  command.options().add("head", head, "Head, from 0; -1: the mean of all").at_least(-1);
  source.add_to(command, false);
  command.use_json();
  command.parse();
  const auto model = tasks::TranslationModel::load(folder);
  tasks::TranslateOptions options;
  const tasks::TaskParameters task = source.task(model);
  options.decode = tasks::generation_defaults(*model.model, task.generation);
  options.source = source.limits(task);
  text::LineReader reader("-");
  for (std::string line; reader.next(line);) {
    const std::string text = target.empty() ? tasks::translate_lines(model, options, {line}).at(0) : target;
    const auto alignment = tasks::align(model, line, text, layer, head, task.prefix);
    if (command.common().json) {
      command.output().line(
          Json{{"source", alignment.source_tokens}, {"target", alignment.target_tokens}, {"weights", alignment.weights}}
              .dump(-1, ' ', false, Json::error_handler_t::replace));
    } else {
      draw(command.output(), alignment);
    }
  }
  command.output().flush();
  return kOk;
}

}  // namespace heed::cli
