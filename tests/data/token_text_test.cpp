#include "heed/data/token_text.h"

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <fstream>

#include "heed/base/error.h"
#include "heed/base/threads.h"
#include "shared_files.h"
#include "tasks/byte_tokenizer.h"

namespace heed::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Bytes, between a 1 and a 2 as BERT has [CLS] and [SEP]; refuses '!', and may leave nothing of spaces.
class FramedBytes final : public text::Tokenizer {
 public:
  explicit FramedBytes(bool keeps_spaces = true) : keeps_spaces_(keeps_spaces) {}
  text::TokenizedText tokenize(std::string_view text, bool special) const override {
    ++calls;
    check<DataError>(text.find('!') == std::string_view::npos, "a \"!\" has no token");
    text::TokenizedText result;
    const auto add = [&](int32_t id, int8_t which) {
      result.ids.push_back(id);
      result.texts.push_back(which);
    };
    if (special) add(1, -1);
    for (const char c : text)
      if (c != ' ' || keeps_spaces_) add(static_cast<unsigned char>(c), 0);
    if (special) add(2, -1);
    return result;
  }
  text::TokenizedText tokenize_pair(std::string_view, std::string_view, bool) const override { return {}; }
  text::TokenizedText tokenize_words(std::span<const std::string>, bool) const override { return {}; }
  std::string decode(std::span<const int32_t>, bool) const override { return {}; }
  int32_t vocab_size() const override { return 256; }
  std::string token(int32_t) const override { return {}; }
  int32_t id(std::string_view) const override { return -1; }
  int32_t eos_id() const override { return -1; }
  int32_t pad_id() const override { return -1; }
  int32_t unk_id() const override { return -1; }
  mutable std::atomic<int> calls = 0;

 private:
  bool keeps_spaces_;
};

class TokenTextTest : public ::testing::Test {
 protected:
  void TearDown() override { set_thread_count(0); }

  std::filesystem::path write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  static std::vector<int32_t> ids(const TokenStream& stream) {
    std::vector<int32_t> ids;
    stream.append_to(ids, 0, stream.size());
    return ids;
  }
  static std::vector<int32_t> bytes(const std::string& text) {
    return {reinterpret_cast<const unsigned char*>(text.data()),
            reinterpret_cast<const unsigned char*>(text.data()) + text.size()};
  }

  testing::TemporaryFolder folder_;
};

TEST_F(TokenTextTest, EndTokensStandBetweenDocuments) {
  const TextSource text({write("a.txt", "ab\nc\n"), write("b.txt", "d\n")}, {.per = DocumentsPer::kLine});
  const testing::ByteTokenizer tokenizer;
  EXPECT_EQ(end_token_of(tokenizer), 0);
  const TokenStream stream = encode_text(text, tokenizer, {});
  EXPECT_EQ(ids(stream), bytes({'a', 'b', 0, 'c', 0, 'd'}));
  EXPECT_EQ(stream.counts(), (TextCounts{3, 4}));
  EXPECT_EQ(ids(encode_text(text, tokenizer, {.end_token = false})), bytes("abcd"));
  EXPECT_EQ(ids(encode_text(TextSource({folder_ / "a.txt"}), tokenizer, {})), bytes("ab\nc\n"));
}

TEST_F(TokenTextTest, DocumentMarksAreNoTokens) {
  const TextSource text({write("a.txt", std::string("a\x02"
                                                    "b\nc\n"))},
                        {.per = DocumentsPer::kLine});
  const FramedBytes tokenizer;
  TokenTextOptions options{.begin_token = false, .document_marks = true};
  EXPECT_EQ(document_mark(tokenizer, options), 256);
  EXPECT_THAT(ids(encode_text(text, tokenizer, options)), ElementsAre('a', 2, 'b', 256, 'c'));
  options.word_marks = true;
  EXPECT_EQ(document_mark(tokenizer, options), 512);
}

TEST_F(TokenTextTest, WhatATokenizerPutsAroundATextStandsAroundEach) {
  const TextSource text({write("a.txt", "ab\nc\n")}, {.per = DocumentsPer::kLine});
  const FramedBytes tokenizer;
  EXPECT_EQ(end_token_of(tokenizer), 2);
  EXPECT_THAT(ids(encode_text(text, tokenizer, {})), ElementsAre(1, 'a', 'b', 2, 1, 'c'));
  EXPECT_THAT(ids(encode_text(text, tokenizer, {.end_token = false})), ElementsAre(1, 'a', 'b', 1, 'c'));
}

TEST_F(TokenTextTest, LongDocumentsAreEncodedInPartsWithTheSameResult) {
  std::string words, one_word(3 << 20, 'x'), lines, letters;
  for (int i = 0; words.size() < (5u << 20); ++i) words += "word" + std::to_string(i) + (i % 50 == 0 ? "\n" : " ");
  for (int i = 0; lines.size() < (3u << 20); ++i) lines += "line" + std::to_string(i) + "\n";
  for (int i = 0; letters.size() < (2u << 20); ++i) letters += "é";
  const FramedBytes tokenizer;
  for (const int threads : {1, 3}) {
    set_thread_count(threads);
    for (const std::string& start : {words, one_word, lines, letters}) {
      const std::string text = start + "end\n";
      std::vector<int32_t> expected = bytes(text);
      expected.insert(expected.begin(), 1);
      EXPECT_TRUE(ids(encode_text(TextSource({write("long.txt", text)}), tokenizer, {})) == expected)
          << text.substr(0, 20);
    }
  }
}

TEST_F(TokenTextTest, ADocumentWhoseFirstPartHasNoTokensIsADocumentAllTheSame) {
  const TextSource text({write("a.txt", "ab"), write("b.txt", std::string(3 << 19, ' ') + "cd")});
  EXPECT_THAT(ids(encode_text(text, FramedBytes(false), {.begin_token = false})), ElementsAre('a', 'b', 2, 'c', 'd'));
}

TEST_F(TokenTextTest, ATextThatTheTokenizerRefusesIsNamed) {
  const TextSource text({write("a.txt", "ab\nno!\nso!\n")}, {.per = DocumentsPer::kLine});
  for (const int threads : {1, 3}) {
    set_thread_count(threads);
    try {
      encode_text(text, FramedBytes(), {});
      FAIL() << "no error";
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), HasSubstr("a.txt:2: a \"!\" has no token"));
    }
  }
}

TEST_F(TokenTextTest, TheCacheIsUsedWhileTextTokenizerAndOptionsAreTheSame) {
  const auto file = write("a.txt", "ab\nc\n");
  const TextSource text({file}, {.per = DocumentsPer::kLine});
  const FramedBytes tokenizer;
  TokenTextOptions options{true, folder_ / "cache", "one"};
  // Whether the text was encoded anew: the surroundings alone take one call each time they are looked for.
  const auto encodes = [&](const TextSource& source, const TokenTextOptions& o) {
    const std::vector<int32_t> expected = ids(encode_text(source, tokenizer, {o.end_token, {}, ""}));
    const int before = tokenizer.calls;
    EXPECT_EQ(ids(encode_text(source, tokenizer, o)), expected);
    return tokenizer.calls > before;
  };
  EXPECT_TRUE(encodes(text, options));
  EXPECT_FALSE(encodes(text, options));
  // Touched, but the same.
  std::filesystem::last_write_time(file, std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  EXPECT_FALSE(encodes(text, options));
  // Another text of the same size.
  write("a.txt", "ab\nd\n");
  EXPECT_TRUE(encodes(text, options));
  EXPECT_FALSE(encodes(text, options));
  EXPECT_TRUE(encodes(text, {false, folder_ / "cache", "one"}));
  EXPECT_TRUE(encodes(text, {true, folder_ / "cache", "two"}));
  EXPECT_TRUE(encodes(TextSource({file}), options));
  EXPECT_TRUE(encodes(text.split(0.5).first, options));
  EXPECT_TRUE(encodes(text.split(0.5).second, options));
  EXPECT_FALSE(encodes(text.split(0.5).first, options));
  EXPECT_FALSE(encodes(text, options));
}

TEST_F(TokenTextTest, ADamagedCacheIsWrittenAnew) {
  const TextSource text({write("a.txt", "abc\n")});
  const testing::ByteTokenizer tokenizer;
  const TokenTextOptions options{true, folder_ / "cache", "t"};
  const auto expected = ids(encode_text(text, tokenizer, options));
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "cache"))
    std::filesystem::resize_file(entry.path(), 5);
  EXPECT_EQ(ids(encode_text(text, tokenizer, options)), expected);
  EXPECT_EQ(ids(encode_text(text, tokenizer, options)), expected);
}

}  // namespace
}  // namespace heed::data
