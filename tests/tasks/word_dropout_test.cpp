#include "heed/tasks/word_dropout.h"

#include <gtest/gtest.h>

#include "heed/base/error.h"
#include "tasks/byte_tokenizer.h"

namespace heed::tasks {
namespace {

struct MaskingTokenizer final : testing::ByteTokenizer {
  int32_t mask_id() const override { return 99; }
};

// 2,000 words of one to three tokens between two special ones; the ids count.
text::TokenizedText many_words() {
  text::TokenizedText text;
  const auto add = [&text](int32_t word) {
    text.ids.push_back(1000 + static_cast<int32_t>(text.ids.size()));
    text.words.push_back(word);
  };
  add(-1);
  for (int32_t word = 0; word < 2000; ++word)
    for (int32_t i = 0; i <= word % 3; ++i) add(word);
  add(-1);
  return text;
}

TEST(WordDropout, HidesWholeWordsOfThatShare) {
  const text::TokenizedText text = many_words();
  const std::vector<int32_t> ids = WordDropout(0.25, 3, MaskingTokenizer()).ids(text, 0, text.ids.size(), 0, 0);
  ASSERT_EQ(ids.size(), text.ids.size());
  const auto drawn = [&](uint64_t epoch, uint32_t example, uint32_t part) {
    return WordDropout(0.25, 3, MaskingTokenizer()).ids(text, 0, text.ids.size(), epoch, example, part);
  };
  EXPECT_EQ(drawn(0, 0, 0), ids);
  EXPECT_NE(drawn(1, 0, 0), ids);
  EXPECT_NE(drawn(0, 1, 0), ids);
  EXPECT_NE(drawn(0, 0, 1), ids);
  int hidden = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    EXPECT_TRUE(ids[i] == text.ids[i] || ids[i] == 99);
    const bool begins = i == 0 || text.words[i] != text.words[i - 1];
    if (!begins) {
      EXPECT_EQ(ids[i] == 99, ids[i - 1] == 99) << "a word hidden in part";
    }
    hidden += begins && ids[i] == 99;
  }
  EXPECT_NEAR(hidden / 2000.0, 0.25, 0.03);
  EXPECT_EQ(ids.front(), text.ids.front());
  EXPECT_EQ(ids.back(), text.ids.back());
}

TEST(WordDropout, OfAPartOfAText) {
  const text::TokenizedText text = many_words();
  const std::vector<int32_t> ids = WordDropout(0, 3, MaskingTokenizer()).ids(text, 5, 9, 0, 0);
  EXPECT_EQ(ids, std::vector<int32_t>(text.ids.begin() + 5, text.ids.begin() + 9));
}

TEST(WordDropout, NeedsAMask) {
  EXPECT_NO_THROW(WordDropout(0, 3, testing::ByteTokenizer()));
  EXPECT_THROW(WordDropout(0.1, 3, testing::ByteTokenizer()), UsageError);
}

}  // namespace
}  // namespace heed::tasks
