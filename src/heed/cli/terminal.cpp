#include "heed/cli/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unicode/uchar.h>
#include <unistd.h>

#include <charconv>

#include "heed/base/utf8.h"

namespace heed::cli {
namespace {

int code_point_width(char32_t value) {
  const auto c = static_cast<UChar32>(value);
  switch (u_charType(c)) {
    case U_NON_SPACING_MARK:
    case U_ENCLOSING_MARK:
    case U_CONTROL_CHAR:
    case U_FORMAT_CHAR: return 0;
    default: break;
  }
  const int east_asian = u_getIntPropertyValue(c, UCHAR_EAST_ASIAN_WIDTH);
  return east_asian == U_EA_WIDE || east_asian == U_EA_FULLWIDTH ? 2 : 1;
}

const char* escape_code(Style style) {
  switch (style) {
    case Style::kBold: return "\x1b[1m";
    case Style::kDim: return "\x1b[2m";
    case Style::kRed: return "\x1b[31m";
    case Style::kGreen: return "\x1b[32m";
    case Style::kYellow: return "\x1b[33m";
    case Style::kBlue: return "\x1b[34m";
    case Style::kMagenta: return "\x1b[35m";
    case Style::kCyan: return "\x1b[36m";
    case Style::kBoldRed: return "\x1b[1;31m";
  }
  return "";
}

}  // namespace

bool is_terminal(int descriptor) { return ::isatty(descriptor) == 1; }

bool is_live_terminal(int descriptor, const Environment& environment) {
  const char* const term = environment("TERM");
  return is_terminal(descriptor) && term && *term && std::string_view(term) != "dumb";
}

int terminal_width(int descriptor, const Environment& environment) {
  constexpr int kUsual = 80;
  if (const char* const columns = environment("COLUMNS")) {
    const std::string_view text = columns;
    int width = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), width);
    if (error == std::errc() && stop == text.data() + text.size() && width > 0) return width;
  }
  winsize size{};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return kUsual;
}

bool wants_colour(int descriptor, const Environment& environment, bool no_color_flag) {
  const char* const no_color = environment("NO_COLOR");
  return !no_color_flag && !(no_color && *no_color) && is_live_terminal(descriptor, environment);
}

std::string paint(std::string_view text, Style style, bool enabled) {
  return enabled ? fmt::format("{}{}\x1b[0m", escape_code(style), text) : std::string(text);
}

int text_width(std::string_view text) {
  int width = 0;
  for (const char32_t c : to_code_points(text)) width += code_point_width(c);
  return width;
}

std::string cut_to_width(std::string_view text, int columns) {
  if (text_width(text) <= columns) return std::string(text);
  if (columns < 1) return "";
  std::string out;
  int width = 0;
  for (const char32_t c : to_code_points(text)) {
    width += code_point_width(c);
    if (width > columns - 1) break;
    append_utf8(out, c);
  }
  return out + "…";
}

std::string printable(std::string_view text) {
  std::string out;
  for (const char32_t c : to_code_points(text)) {
    const bool is_control = c < 0x20 || (c >= 0x7F && c < 0xA0);
    if (is_control) out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
    else append_utf8(out, c);
  }
  return out;
}

}  // namespace heed::cli
