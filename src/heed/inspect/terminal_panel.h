// A panel of curves as lines of text: points of Braille characters, two by four to a character, within axes whose ticks
// stand at round numbers. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "heed/inspect/curves.h"

namespace heed::inspect {

// A piece of a line, of one colour: that of a run, or none (-1).
struct Span {
  std::string text;
  int run = -1;
};
using SpanLine = std::vector<Span>;

// `columns`: the width of the terminal; `rows`: of the plot alone, between its heading and its lower axis. A curve ends
// with its run's letter, a validation is an 'o'.
std::vector<SpanLine> draw_text_panel(const Panel& panel, int columns, int rows);

// The letter that stands at the end of a run's curves: A, B, …
std::string run_letter(size_t run);

}  // namespace heed::inspect
