// Panels as lines of text: their size, their axes, and curves at the characters where they belong.
#include "heed/inspect/terminal_panel.h"

#include <gmock/gmock.h>

#include "heed/base/utf8.h"
#include "made_runs.h"

namespace heed::inspect {
namespace {

using ::testing::HasSubstr;

std::vector<std::string> text_of(const std::vector<SpanLine>& lines) {
  std::vector<std::string> all;
  for (const SpanLine& line : lines) {
    std::string text;
    for (const Span& span : line) text += span.text;
    all.push_back(text);
  }
  return all;
}

Panel panel_of(std::vector<Curve> curves, double high = 10) {
  return {"loss", "Loss", "step", Axis(0, 10, false, 5), Axis(0, high, false, 5), std::move(curves)};
}

TEST(TerminalPanel, ALineIsDrawnFromCornerToCorner) {
  const auto lines = text_of(draw_text_panel(panel_of({{.run = 0, .points = {{0, 0}, {10, 10}}}}), 17, 4));
  ASSERT_EQ(lines.size(), 6u);
  // 20 x 16 points over 10 x 4 characters.
  EXPECT_EQ(lines[0], "10 ┤       ⢀⠤⠊ A");
  EXPECT_EQ(lines[1], "   │     ⡠⠔⠁  ");
  EXPECT_EQ(lines[2], " 5 ┤  ⢀⠔⠊     ");
  EXPECT_EQ(lines[3], " 0 ┤⡠⠒⠁       ");
}

TEST(TerminalPanel, FillsTheWidthAndNoMore) {
  const heed::testing::TemporaryFolder folder;
  const std::vector<TrainingLog> runs{make_run(folder, "a"), make_run(folder, "b")};
  for (const int columns : {40, 80, 133}) {
    for (const Panel& panel : make_panels(runs, {})) {
      size_t longest = 0;
      for (const std::string& line : text_of(draw_text_panel(panel, columns, 12)))
        longest = std::max(longest, to_code_points(line).size());
      EXPECT_LE(longest, static_cast<size_t>(columns));
      EXPECT_GE(longest, static_cast<size_t>(columns) - 2);
    }
  }
}

TEST(TerminalPanel, ValidationsAreMarkedAndEndsLettered) {
  const Panel panel =
      panel_of({{.run = 0, .points = {{0, 9}, {10, 1}}}, {.run = 1, .validation = true, .points = {{5, 5}, {10, 1}}}});
  const auto lines = draw_text_panel(panel, 40, 8);
  size_t marks = 0;
  std::string letters;
  for (const SpanLine& line : lines)
    for (const Span& span : line) {
      for (const char c : span.text) marks += c == 'o' && span.run == 1;
      for (const char c : span.text)
        if (c >= 'A' && c <= 'Z' && span.run == c - 'A') letters += c;
    }
  EXPECT_EQ(marks, 2u);
  EXPECT_EQ(letters.size(), 2u);  // both, though the curves end at one point
}

TEST(TerminalPanel, WhatLiesOutsideIsNotDrawn) {
  const auto lines = text_of(draw_text_panel(panel_of({{.run = 0, .points = {{0, 1e9}, {5, 4}, {10, 4}}}}), 40, 6));
  EXPECT_EQ(lines.size(), 8u);
  EXPECT_THAT(lines.back(), HasSubstr("0"));
  EXPECT_EQ(run_letter(2), "C");
  EXPECT_EQ(run_letter(30), "31");
}

}  // namespace
}  // namespace heed::inspect
