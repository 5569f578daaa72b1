// Splitting text at added tokens.
#include "heed/text/added_tokens.h"

#include <gmock/gmock.h>

namespace heed::text {
namespace {

using ::testing::ElementsAre;

// Parts of text in brackets, tokens by their ids.
std::vector<std::string> split(const AddedTokens& tokens, std::string_view text) {
  std::vector<std::string> parts;
  tokens.split(
      text, [&](std::string_view part) { parts.push_back(std::string("[").append(part).append("]")); },
      [&](const AddedToken& token) { parts.push_back(std::to_string(token.id)); });
  return parts;
}

TEST(AddedTokens, WithoutTokensTextStaysWhole) {
  const AddedTokens none;
  EXPECT_THAT(split(none, "a </s> b"), ElementsAre("[a </s> b]"));
  EXPECT_THAT(split(none, ""), ElementsAre());
  EXPECT_EQ(none.find(0), nullptr);
  EXPECT_EQ(none.find("</s>"), nullptr);
}

TEST(AddedTokens, TheLeftmostThenLongestTokenIsTaken) {
  const AddedTokens tokens({{"id_1", 1}, {"id_100", 2}, {"_1", 3}, {"\xC3\xBC", 4}, {"i", 5}});
  EXPECT_THAT(split(tokens, "a id_100 b"), ElementsAre("[a ]", "2", "[ b]"));
  EXPECT_THAT(split(tokens, "id_10"), ElementsAre("1", "[0]"));
  EXPECT_THAT(split(tokens, "id_1id_1"), ElementsAre("1", "1"));
  EXPECT_THAT(split(tokens, "id_2_1"), ElementsAre("5", "[d_2]", "3"));
  EXPECT_THAT(split(tokens, "x\xC3\xBC\xC3"), ElementsAre("[x]", "4", "[\xC3]"));
  EXPECT_EQ(tokens.find(2)->content, "id_100");
  EXPECT_EQ(tokens.find("_1")->id, 3);
  EXPECT_EQ(tokens.find(9), nullptr);
  EXPECT_EQ(tokens.find("id"), nullptr);
}

TEST(AddedTokens, WhiteSpaceMayBelongToATokenOnEitherSide) {
  const AddedTokens tokens({{"<l>", 1, false, true, false}, {"<r>", 2, false, false, true}, {"<n>", 3}});
  EXPECT_THAT(split(tokens, "a \xE3\x80\x80<l> b"), ElementsAre("[a]", "1", "[ b]"));
  EXPECT_THAT(split(tokens, "a <r>\xC2\xA0 b "), ElementsAre("[a ]", "2", "[b ]"));
  EXPECT_THAT(split(tokens, "a <n> b"), ElementsAre("[a ]", "3", "[ b]"));
  EXPECT_THAT(split(tokens, "<r>  <l>"), ElementsAre("2", "1"));
}

TEST(AddedTokens, StripsTheWhiteSpaceThatPythonStrips) {
  EXPECT_EQ(strip_white_space("\t\n\x0B\x0C\r\x1C\x1D\x1E\x1F a\xC2\x85\xC2\xA0\xE1\x9A\x80\xE2\x80\x80\xE2\x80\x8A"
                              "\xE2\x80\xA8\xE2\x80\xA9\xE2\x80\xAF\xE2\x81\x9F\xE3\x80\x80"),
            "a");
  EXPECT_EQ(strip_white_space("\xE2\x80\x8B"
                              "a\xEF\xBB\xBF"),
            "\xE2\x80\x8B"
            "a\xEF\xBB\xBF");  // no white space
  EXPECT_EQ(strip_white_space(" a ", true, false), "a ");
  EXPECT_EQ(strip_white_space(" a ", false, true), " a");
  EXPECT_EQ(strip_white_space("  "), "");
  EXPECT_EQ(strip_white_space(" \xFF "), "\xFF");
  EXPECT_EQ(strip_white_space("a\x80"), "a\x80");
}

}  // namespace
}  // namespace heed::text
