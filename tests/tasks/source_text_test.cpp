#include "heed/tasks/source_text.h"

#include <gtest/gtest.h>

#include <sstream>

namespace heed::tasks {
namespace {

// A token for each word, its length; 1 ends a text.
class WordTokenizer final : public text::Tokenizer {
 public:
  text::TokenizedText tokenize(std::string_view text, bool special) const override {
    text::TokenizedText result;
    std::istringstream words{std::string(text)};
    for (std::string word; words >> word;) result.ids.push_back(static_cast<int32_t>(word.size()) + 10);
    if (special) result.ids.push_back(1);
    return result;
  }
  text::TokenizedText tokenize_pair(std::string_view, std::string_view, bool) const override { return {}; }
  text::TokenizedText tokenize_words(std::span<const std::string>, bool) const override { return {}; }
  std::string decode(std::span<const int32_t>, bool) const override { return ""; }
  int32_t vocab_size() const override { return 100; }
  std::string token(int32_t) const override { return ""; }
  int32_t id(std::string_view) const override { return -1; }
  int32_t eos_id() const override { return 1; }
  int32_t pad_id() const override { return 0; }
  int32_t unk_id() const override { return 2; }
};

using Parts = std::vector<std::vector<int32_t>>;

TEST(SourceEncoder, PutsThePrefixInFront) {
  const WordTokenizer t;
  const EncodedSource source = SourceEncoder(t, {.prefix = "summarize: "})("a bb");
  EXPECT_EQ(source.parts, (Parts{{20, 11, 12, 1}}));
  EXPECT_FALSE(source.cut);
  EXPECT_TRUE(SourceEncoder(t, {.prefix = "summarize: "})(" \t").parts.empty());
}

TEST(SourceEncoder, CutsWhatIsTooLong) {
  const WordTokenizer t;
  const EncodedSource source = SourceEncoder(t, {.max_tokens = 3})("a bb ccc dddd");
  EXPECT_EQ(source.parts, (Parts{{11, 12, 1}}));
  EXPECT_TRUE(source.cut);
  EXPECT_FALSE(SourceEncoder(t, {.max_tokens = 5})("a bb ccc dddd").cut);
}

TEST(SourceEncoder, SplitsSentencesThenWords) {
  const WordTokenizer t;
  const SourceEncoder encode(t, {.prefix = "x: ", .max_tokens = 5, .split_sentences = true});
  EXPECT_EQ(encode("Aa. Bbb cc.").parts, (Parts{{12, 13, 13, 13, 1}}));  // it fits: nothing is split
  const EncodedSource sentences = encode("Aa bb cc. Dddd.");
  EXPECT_EQ(sentences.parts, (Parts{{12, 12, 12, 13, 1}, {12, 15, 1}}));
  EXPECT_FALSE(sentences.cut);
  const EncodedSource words = encode("aa bb cc dd ee ff gg");  // one sentence that is too long
  ASSERT_GT(words.parts.size(), 1u);
  size_t count = 0;
  for (const auto& part : words.parts) {
    EXPECT_LE(part.size(), 5u);
    count += part.size() - 2;
  }
  EXPECT_EQ(count, 7u);
  EXPECT_FALSE(words.cut);
}

// No word, no prefix and no limit can make it loop or lose its end.
TEST(SourceEncoder, EndsWhereNothingFits) {
  const WordTokenizer t;
  const EncodedSource source = SourceEncoder(t, {.prefix = "a b c ", .max_tokens = 2, .split_sentences = true})("äöü");
  EXPECT_TRUE(source.cut);
  EXPECT_EQ(source.parts.size(), 3u);
  for (const auto& part : source.parts) EXPECT_EQ(part, (std::vector<int32_t>{11, 1}));
}

}  // namespace
}  // namespace heed::tasks
