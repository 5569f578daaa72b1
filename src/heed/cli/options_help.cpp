// What help and usage lines show of a command's options: see options.h.
#include <fmt/format.h>

#include <algorithm>

#include "heed/cli/options.h"
#include "heed/cli/terminal.h"

namespace heed::cli {
namespace {

constexpr int kColumn = 28;  // where the explanations begin

}  // namespace

std::string wrap_text(const std::string& text, int width, int indent) {
  std::string out, line;
  const int room = std::max(width - indent, 20);
  size_t from = 0;
  while (from <= text.size()) {
    const size_t to = std::min(text.find_first_of(" \n", from), text.size());
    const std::string word = text.substr(from, to - from);
    from = to + 1;
    if (!line.empty() && text_width(line) + 1 + text_width(word) > room) {
      out += line + '\n' + std::string(static_cast<size_t>(indent), ' ');
      line.clear();
    }
    line += line.empty() ? word : ' ' + word;
  }
  return out + line;
}

std::string Options::help(int width, const std::function<std::string(const std::string&)>& bold) const {
  std::string out, section;
  for (const auto& option : options_) {
    if (option->section_ != section) {
      section = option->section_;
      out += fmt::format("\n{}\n", bold(section + ":"));
    }
    const Binding& binding = option->binding_;
    std::string left = option->positional_ ? "  " + option->name_ : "  --" + option->name_;
    if (!binding.placeholder.empty() && !option->positional_) left += " " + binding.placeholder;
    Strings notes;
    if (!option->choices_.empty()) notes.push_back(fmt::format("{}", fmt::join(option->choices_, "|")));
    if (option->required_) notes.emplace_back("required");
    if (binding.is_list) notes.emplace_back("may be repeated");
    const Strings values = binding.kind == ValueKind::kFlag ? Strings{} : option->initial_;
    std::string shown = fmt::format("{}", fmt::join(values, ","));
    if (!option->default_text_.empty()) shown = option->default_text_;
    if (!shown.empty() && !option->required_) notes.push_back("default: " + shown);
    if (binding.kind == ValueKind::kFlag && option->initial_ == Strings{"true"}) notes.emplace_back("default: on");
    std::string text = option->help_;
    if (!notes.empty()) text += fmt::format(" ({})", fmt::join(notes, "; "));
    const int space = kColumn - text_width(left);
    left += space > 1 ? std::string(static_cast<size_t>(space), ' ') : "\n" + std::string(kColumn, ' ');
    out += left + wrap_text(text, width, kColumn) + "\n";
  }
  return out;
}

std::string Options::positional_usage() const {
  std::string out;
  for (const auto& option : options_) {
    if (!option->positional_) continue;
    const std::string name = option->binding_.placeholder + (option->binding_.is_list ? "..." : "");
    out += option->required_ ? " " + name : " [" + name + "]";
  }
  return out;
}

}  // namespace heed::cli
