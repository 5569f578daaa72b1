#include "heed/metrics/python_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "heed/base/utf8.h"

namespace heed::metrics {
namespace {

using ::testing::ElementsAre;

// [c for c in map(chr, range(0x110000)) if c.isspace()] in Python 3.11.
TEST(PythonText, KnowsPythonsWhiteSpace) {
  std::u32string spaces;
  for (char32_t c = 0; c <= 0x10FFFF; ++c)
    if (is_space(c)) spaces.push_back(c);
  EXPECT_EQ(spaces, std::u32string(U"\t\n\v\f\r\x1C\x1D\x1E\x1F \x85\xA0\x1680\x2000\x2001\x2002\x2003\x2004\x2005"
                                   U"\x2006\x2007\x2008\x2009\x200A\x2028\x2029\x202F\x205F\x3000"));
}

TEST(PythonText, SplitsAtWhiteSpace) {
  EXPECT_THAT(split_words(" a\u3000b\x1F c\u200B\u2003"), ElementsAre("a", "b", "c\u200B"));
  EXPECT_TRUE(split_words("").empty());
  EXPECT_TRUE(split_words(" \u00A0\t").empty());
  EXPECT_THAT(split_words("\x80 \xE3\x80"), ElementsAre("\x80", "\xE3\x80"));
}

TEST(PythonText, StripsWhiteSpace) {
  EXPECT_EQ(strip(" \u3000 a b\u00A0\n"), "a b");
  EXPECT_EQ(strip_right(" a \u2028\r"), " a");
  EXPECT_EQ(strip_right(" \u3000"), "");
  EXPECT_EQ(strip("\u3000"), "");
  // A malformed tail is no white space, not even one that ends as U+00A0 does.
  EXPECT_EQ(strip_right("a\xA0"), "a\xA0");
  EXPECT_EQ(strip_right("\x80\xA0\x80\x80\x80"), "\x80\xA0\x80\x80\x80");
}

TEST(PythonText, LowersAsPythonDoes) {
  EXPECT_EQ(to_lower("ÄÖÜ ẞ ΑΣ ΑΣΑ Σ Ǆ İ I Ⅷ 𐐀"), "äöü ß ας ασα σ ǆ i\u0307 i ⅷ 𐐨");
  // Case-ignorable characters (apostrophe, soft hyphen) do not end a word for the final sigma.
  EXPECT_EQ(to_lower("ΑΣ' ΑΣ\u00ADΑ Α'Σ"), "ας' ασ\u00ADα α'ς");
  EXPECT_EQ(to_lower(""), "");
  EXPECT_EQ(to_lower(std::string_view("A\0B", 3)), std::string_view("a\0b", 3));
}

TEST(PythonText, LowersMalformedTextLikeTheRestOfTheLibrary) {
  for (const char* text : {"A\xC0\xAF", "\xE0\x80\xBF", "\xF0\x91\x92 A", "\xED\xA0\x80", "\xF4\x91\x92\x93\xFF"})
    EXPECT_EQ(to_lower(text), to_lower(to_valid_utf8(text))) << text;
}

}  // namespace
}  // namespace heed::metrics
