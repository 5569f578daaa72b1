#include "heed/text/word_alignment.h"

#include <gtest/gtest.h>

namespace heed::text {
namespace {

void expect_place(const WordAlignment::Place& place, uint32_t begin, uint32_t end, int32_t word) {
  EXPECT_EQ(place.begin, begin);
  EXPECT_EQ(place.end, end);
  EXPECT_EQ(place.word, word);
}

TEST(WordAlignment, PartsOfEqualWordsStandWhereTheirCharactersStand) {
  const std::string_view original = "  d\xC3\xB6g \t runs", normalized = "\u2581d\xC3\xB6g\u2581runs";
  const WordAlignment alignment(original, normalized);
  EXPECT_EQ(alignment.words(), 2);
  expect_place(alignment.find(normalized.substr(0, 6)), 2, 4, 0);   // "▁dö"
  expect_place(alignment.find(normalized.substr(6, 1)), 4, 5, 0);   // "g"
  expect_place(alignment.find(normalized.substr(7, 3)), 8, 8, 1);   // "▁"
  expect_place(alignment.find(normalized.substr(7, 5)), 8, 10, 1);  // "▁ru"
  expect_place(alignment.find(normalized.substr(12)), 10, 12, 1);   // "ns"
}

TEST(WordAlignment, PartsOfChangedWordsStandForTheirWholeWord) {
  const std::string_view normalized = "\u2581x\u2581fine";
  const WordAlignment alignment("x \xEF\xAC\x81ne", normalized);  // the ligature fi
  expect_place(alignment.find(normalized.substr(4, 4)), 2, 5, 1);
  expect_place(alignment.find(normalized.substr(8)), 2, 5, 1);
}

TEST(WordAlignment, WhereWordsDoNotCorrespondEachPartStandsForTheWholeText) {
  const std::string_view normalized = "\u2581a\u2581b";
  const WordAlignment alignment("abc", normalized);
  expect_place(alignment.find(normalized.substr(4)), 0, 3, 1);
  expect_place(alignment.find("elsewhere"), 0, 3, 0);
}

}  // namespace
}  // namespace heed::text
