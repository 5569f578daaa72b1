#include "heed/tasks/text_stream.h"

#include <gtest/gtest.h>

#include "tasks/byte_tokenizer.h"

namespace heed::tasks {
namespace {

using Pieces = std::vector<std::string>;

// The pieces that come for each byte of `text`, then what was held back.
Pieces pieces(const std::string& text, const Pieces& stop = {}, const std::string& context = "") {
  const testing::ByteTokenizer tokenizer;
  const auto before = tokenizer.encode(context);
  TextStream stream(tokenizer, before, stop);
  Pieces result;
  for (const int32_t id : tokenizer.encode(text)) result.push_back(stream.add(id));
  result.push_back(stream.finish());
  return result;
}

std::string joined(const Pieces& pieces) {
  std::string text;
  for (const auto& piece : pieces) text += piece;
  return text;
}

TEST(TextStream, NeverEndsInsideACharacter) {
  EXPECT_EQ(pieces("aé€😀"), (Pieces{"a", "", "é", "", "", "€", "", "", "", "😀", ""}));
}

TEST(TextStream, GivesMalformedBytesInTheEnd) {
  EXPECT_EQ(joined(pieces("a\xE2\x82")), "a\xEF\xBF\xBD");
  const Pieces many = pieces("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
  EXPECT_EQ(joined(many).size(), 8u * 3);
  EXPECT_NE(many[3], "");  // not held back for ever
}

TEST(TextStream, ContextIsNotRepeated) {
  EXPECT_EQ(joined(pieces(" world", {}, "a long prompt before it, hello")), " world");
  EXPECT_EQ(joined(pieces("\x82\xAC!", {}, "5 \xE2")), "!");  // behind the character that the prompt began
}

TEST(TextStream, EndsBeforeAStopString) {
  const testing::ByteTokenizer tokenizer;
  TextStream stream(tokenizer, {}, {"\nUser:", "END"});
  std::string text;
  for (const int32_t id : tokenizer.encode("go on\nUse it\nUser: no")) {
    text += stream.add(id);
    if (stream.stopped()) break;
  }
  EXPECT_TRUE(stream.stopped());
  EXPECT_EQ(text + stream.finish(), "go on\nUse it");
  EXPECT_EQ(stream.text(), "go on\nUse it");
  EXPECT_EQ(stream.add('x'), "");
}

TEST(TextStream, HoldsBackWhatMayBecomeAStopString) {
  EXPECT_EQ(pieces("aENx", {"END"}), (Pieces{"a", "", "", "ENx", ""}));
  EXPECT_EQ(pieces("aEN", {"END"}), (Pieces{"a", "", "", "EN"}));
  EXPECT_EQ(joined(pieces("ababac", {"abac"})), "ab");
}

}  // namespace
}  // namespace heed::tasks
