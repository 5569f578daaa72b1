#include "heed/metrics/bleu_tokenizers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>

#include "heed/base/error.h"
#include "heed/base/utf8.h"
#include "heed/metrics/python_text.h"
#include "sacrebleu_cases.h"
#include "shared_files.h"

namespace heed::metrics {
namespace {

using testing::kMetricsData;

constexpr BleuTokenizer kAll[] = {BleuTokenizer::k13a, BleuTokenizer::kIntl, BleuTokenizer::kChar, BleuTokenizer::kZh,
                                  BleuTokenizer::kNone};

TEST(BleuTokenizers, EqualTheRecordedOnes) {
  HEED_NEEDS_SHARED(kMetricsData);
  const std::vector<std::string> lines = testing::read_lines("bleu_tokenizers.jsonl.gz");
  ASSERT_EQ(lines.size(), 715u);
  for (const std::string& line : lines) {
    const Json expected = parse_json(line, "bleu_tokenizers.jsonl");
    const std::string in = expected["in"];
    for (const char* name : {"13a", "intl", "zh"})
      EXPECT_EQ(tokenize(bleu_tokenizer(name), in), expected[name]) << name << ": " << in;
  }
}

// Expected strings of the following tests were printed by sacreBLEU 2.6.0.

TEST(BleuTokenizers, Tokenizes13a) {
  const auto t = [](std::string_view line) { return tokenize(BleuTokenizer::k13a, line); };
  EXPECT_EQ(t("Hello, world! 3.14 1,000. 5-fold e-mail..."), "Hello , world ! 3.14 1,000 . 5 - fold e-mail . . .");
  EXPECT_EQ(t("a &amp;lt; b &quot;c&quot; &apos;"), "a < b \" c \" & apos ;");
  EXPECT_EQ(t("x<skipped>y co-\noperate a\nb"), "xy cooperate a b");
  EXPECT_EQ(t(".5 ,5. 1., ..,"), ". 5 , 5 . 1 . , . . ,");
  EXPECT_EQ(t("ä.ö,ü \u00A0x\u3000y"), "ä . ö , ü x y");
  EXPECT_EQ(t(""), "");
}

TEST(BleuTokenizers, TokenizesIntl) {
  const auto t = [](std::string_view line) { return tokenize(BleuTokenizer::kIntl, line); };
  EXPECT_EQ(t("„Hallo“, 3.14 Ⅷ.x €5+1 ½.½ a.b"), "„ Hallo “ , 3.14 Ⅷ . x € 5 + 1 ½.½ a . b");
  EXPECT_EQ(t("the year 1984."), "the year 1984.");
  EXPECT_EQ(t("...!?"), ". . . ! ?");
}

TEST(BleuTokenizers, TokenizesZhWithItsTwoCharacterRanges) {
  const auto t = [](std::string_view line) { return tokenize(BleuTokenizer::kZh, line); };
  EXPECT_EQ(t(" 我是student. 3.5元"), "我 是 student . 3.5 元");
  // U+2013, U+2192 and U+2A6D count as Chinese, U+2000 is white space, U+2A6E and Extension B do not.
  EXPECT_EQ(t("a–b→c\u2000d\u2A6De\u2A6Ef\U00020000g\U0002F800h"), "a – b → c d \u2A6D e\u2A6Ef\U00020000g\U0002F800h");
  EXPECT_EQ(t(".a"), ". a");
  EXPECT_EQ(t(".5"), ".5");
}

TEST(BleuTokenizers, ZhSeparatesTheRangesThatPythonCompares) {
  std::string line;
  for (char32_t c = 0x80; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    line += " a";
    append_utf8(line, c);
    line += "a";
  }
  // One word each, two around white space, three around what is Chinese.
  EXPECT_EQ(split_words(tokenize(BleuTokenizer::kZh, line)).size(), 1175929u);
}

TEST(BleuTokenizers, TokenizesCharactersAndNothing) {
  EXPECT_EQ(tokenize(BleuTokenizer::kChar, "aä 我"), "a ä   我");
  EXPECT_EQ(tokenize(BleuTokenizer::kChar, ""), "");
  EXPECT_EQ(tokenize(BleuTokenizer::kNone, " a.b  c"), " a.b  c");
}

TEST(BleuTokenizers, ReplaceMalformedBytes) {
  for (const BleuTokenizer tokenizer : kAll)
    EXPECT_EQ(tokenize(tokenizer, "a.\xC3 b\xFF,"), tokenize(tokenizer, "a.\uFFFD b\uFFFD,"));
}

TEST(BleuTokenizers, HaveNames) {
  for (const BleuTokenizer tokenizer : kAll) EXPECT_EQ(bleu_tokenizer(bleu_tokenizer_name(tokenizer)), tokenizer);
  try {
    bleu_tokenizer("13b");
    FAIL() << "no error";
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), ::testing::HasSubstr("'13b', only 13a, intl, char, zh, none"));
  }
}

// Work per character must not grow with the line: a fifth of a million characters of what each pattern could stumble
// over takes well under a second each, where quadratic time would take many minutes.
TEST(BleuTokenizers, TakeLinearTimeOnHostileLines) {
  const std::clock_t start = std::clock();
  for (const std::string part : {"....", "1-", "&amp;", "&amp", " ", "-\n", "<skipped", "我", "$", "a.", "\xFF"}) {
    std::string line;
    while (line.size() < 200'000) line += part;
    for (const BleuTokenizer tokenizer : kAll) EXPECT_LE(tokenize(tokenizer, line).size(), 9 * line.size());
  }
  EXPECT_LT(std::clock() - start, 15 * CLOCKS_PER_SEC);
}

}  // namespace
}  // namespace heed::metrics
