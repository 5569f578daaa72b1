#include "heed/text/sentences.h"

#include <gtest/gtest.h>

#include <string>

namespace heed::text {
namespace {

using Sentences = std::vector<std::string_view>;

TEST(Sentences, AreSplitWithoutTheSpaceAround) {
  EXPECT_EQ(split_sentences("A dog runs.  Does it? It does!"), (Sentences{"A dog runs.", "Does it?", "It does!"}));
  EXPECT_EQ(split_sentences("  one sentence \n"), (Sentences{"one sentence"}));
  EXPECT_EQ(split_sentences("He said: \"Go.\" She went."), (Sentences{"He said: \"Go.\"", "She went."}));
  EXPECT_EQ(split_sentences("It costs 3.50 today, e.g. here."), (Sentences{"It costs 3.50 today, e.g. here."}));
  EXPECT_EQ(split_sentences("我是学生。你呢？"), (Sentences{"我是学生。", "你呢？"}));
  EXPECT_EQ(split_sentences(""), Sentences{});
  EXPECT_EQ(split_sentences(" \t "), Sentences{});
}

TEST(Sentences, NothingButSpaceIsLost) {
  std::string text;
  for (int i = 0; i < 500; ++i) text += "Größe " + std::to_string(i) + (i % 7 == 0 ? ". Und " : " ");
  std::string joined;
  for (const auto sentence : split_sentences(text)) joined += (joined.empty() ? "" : " ") + std::string(sentence);
  EXPECT_EQ(joined, trimmed(text));
  EXPECT_EQ(split_sentences("\xff\xfe broken. Bytes."), (Sentences{"\xff\xfe broken.", "Bytes."}));
}

}  // namespace
}  // namespace heed::text
