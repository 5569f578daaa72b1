// What the program needs to know of a terminal: is there one, how wide is it, does it take colours, and how many
// columns a text fills on it. Pure functions of the environment and the descriptor; thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "heed/cli/options.h"

namespace heed::cli {

bool is_terminal(int descriptor);

// Whether the descriptor is a terminal on which a line can be drawn over: not TERM=dumb.
bool is_live_terminal(int descriptor, const Environment& environment);

// Columns: COLUMNS if it is a number, else what the terminal says, else 80.
int terminal_width(int descriptor, const Environment& environment);

// Whether to write colours: a live terminal, NO_COLOR unset or empty (https://no-color.org), and the flag not given.
bool wants_colour(int descriptor, const Environment& environment, bool no_color_flag);

enum class Style { kBold, kDim, kRed, kGreen, kYellow, kBlue, kMagenta, kCyan, kBoldRed };

// `text` within the escape codes of `style`; as it is unless `enabled`.
std::string paint(std::string_view text, Style style, bool enabled);

// Columns that `text` (UTF-8) fills: 2 for wide East Asian characters, 0 for combining marks and control characters.
int text_width(std::string_view text);

// The longest beginning of `text` that fills at most `columns`, with "…" in place of what was cut.
std::string cut_to_width(std::string_view text, int columns);

// `text` with control characters (escape codes, line breaks) written as \xNN and malformed UTF-8 as U+FFFD, so that
// what came from outside can neither draw on the terminal nor forge a line of a log.
std::string printable(std::string_view text);

}  // namespace heed::cli
