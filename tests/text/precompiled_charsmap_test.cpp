// The precompiled character map: rules of the real NFKC map, and forged maps.
#include "heed/text/precompiled_charsmap.h"

#include <gmock/gmock.h>

#include "corpus.h"
#include "heed/base/error.h"
#include "heed/base/random.h"
#include "heed/text/sentencepiece_model.h"

namespace heed::text {
namespace {

using heed::testing::shared_path;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr const char* kModel = "data/tokenizers/sentencepiece/mozilla_vocab.model";

std::string real_blob() { return read_sentencepiece_model(shared_path(kModel)).normalizer.precompiled_charsmap; }

void put_u32(std::string& blob, size_t at, uint32_t value) {
  for (size_t i = 0; i < 4; ++i) blob[at + i] = static_cast<char>(value >> (8 * i));
}

// A map of 256 units with one rule, "a" -> `replacement`: the root's children lie at 1 ^ label.
std::string one_rule(const std::string& replacement) {
  std::string blob(4 + 1024, '\0');
  put_u32(blob, 0, 1024);
  const auto unit = [&](uint32_t index, uint32_t value) { put_u32(blob, 4 + 4 * index, value); };
  unit(0, 1u << 10);  // offset 1
  const uint32_t a = 1 ^ 'a';
  unit(a, 'a' | 1u << 8 | (a ^ 2u) << 10);  // label a, a leaf follows at 2
  unit(2, 1u << 31);                        // the leaf: string at 0
  return blob + replacement + '\0';
}

TEST(PrecompiledCharsMap, WithoutRules) {
  const PrecompiledCharsMap map("", "x");
  EXPECT_TRUE(map.empty());
  EXPECT_EQ(map.longest_match("abc").length, 0u);
  EXPECT_FALSE(map.has_ascii_rule('a'));
}

TEST(PrecompiledCharsMap, OneRule) {
  const PrecompiledCharsMap map(one_rule("xyz"), "x");
  EXPECT_FALSE(map.empty());
  const auto match = map.longest_match("ab");
  EXPECT_EQ(match.length, 1u);
  EXPECT_EQ(match.replacement, "xyz");
  EXPECT_EQ(map.longest_match("ba").length, 0u);
  EXPECT_TRUE(map.has_ascii_rule('a'));
  EXPECT_FALSE(map.has_ascii_rule('b'));
}

TEST(PrecompiledCharsMap, RealRules) {
  HEED_NEEDS_SHARED(kModel);
  const PrecompiledCharsMap map(real_blob(), "x");
  const auto becomes = [&](std::string_view text) {
    const auto match = map.longest_match(text);
    return std::pair<size_t, std::string>(match.length, match.replacement);
  };
  using Pair = std::pair<size_t, std::string>;
  EXPECT_EQ(becomes("\xEF\xAC\x81x"), Pair(3, "fi"));    // U+FB01
  EXPECT_EQ(becomes("\xEF\xBC\xA1"), Pair(3, "A"));      // fullwidth A
  EXPECT_EQ(becomes("\xE2\x91\xA0"), Pair(3, "1"));      // circled 1
  EXPECT_EQ(becomes("A\xCC\x8A"), Pair(3, "\xC3\x85"));  // A with ring, composed
  EXPECT_EQ(becomes("\tx"), Pair(1, " "));
  EXPECT_EQ(becomes("\xEF\xB7\xBA"), Pair(3,
                                          "\xD8\xB5\xD9\x84\xD9\x89 \xD8\xA7\xD9\x84\xD9\x84\xD9\x87 "
                                          "\xD8\xB9\xD9\x84\xD9\x8A\xD9\x87 \xD9\x88\xD8\xB3\xD9\x84\xD9\x85"));
  EXPECT_EQ(becomes("x").first, 0u);
  EXPECT_EQ(becomes("").first, 0u);
  EXPECT_FALSE(map.has_ascii_rule('A'));  // it has rules, but none that goes on in ASCII
  EXPECT_TRUE(map.has_ascii_rule('\t'));
}

TEST(PrecompiledCharsMap, ForgedMapsAreRefused) {
  const auto refused = [](std::string blob, const char* message) {
    EXPECT_THAT([&] { PrecompiledCharsMap(blob, "m.model"); }, ThrowsMessage<FormatError>(HasSubstr(message)))
        << message;
  };
  refused("abcd", "m.model: expected a character map of more than 4 bytes, got 4");
  std::string blob = one_rule("x");
  put_u32(blob, 0, 0);
  refused(blob, "multiple of 1024 bytes, fewer than the 1026 that follow, got 0");
  put_u32(blob, 0, 0xFFFFFC00);
  refused(blob, "got 4294966272");
  put_u32(blob, 0, 1000);
  refused(blob, "got 1000");
  blob = one_rule("x");
  blob.back() = 'y';
  refused(blob, "to end in NUL");
  refused(one_rule(std::string(1025, 'x')), "expected strings of at most 1024 bytes, got 1025");
  blob = one_rule("x");
  put_u32(blob, 4 + 4 * 2, 1u << 31 | 2);
  refused(blob, "unit 2 points to byte 2 of 2 bytes");
  blob = one_rule("x");
  put_u32(blob, 4 + 4 * 2, 0);
  refused(blob, "expected unit 2 to be a leaf");
  blob = one_rule("x");
  put_u32(blob, 4, 256u << 10);
  refused(blob, "unit 0 has children at 256, but there are 256 units");
  blob = one_rule("x");
  put_u32(blob, 4, 1u << 31);
  refused(blob, "expected the first unit to be no leaf");
}

TEST(PrecompiledCharsMap, ACycleEndsAndBitFlipsNeverLeaveTheMap) {
  std::string cycle = one_rule("x");
  const uint32_t a = 1 ^ 'a';
  put_u32(cycle, 4 + 4 * a, 'a' | (a ^ 1u) << 10);  // its children are the root's
  EXPECT_EQ(PrecompiledCharsMap(cycle, "x").longest_match(std::string(100000, 'a')).length, 0u);

  HEED_NEEDS_SHARED(kModel);
  const std::string blob = real_blob();
  Random random(5);
  std::string text;
  for (int i = 0; i < 2000; ++i) text.push_back(static_cast<char>(random.below(256)));
  int accepted = 0;
  for (int round = 0; round < 300; ++round) {
    std::string broken = blob;
    for (uint32_t flips = 1 + random.below(40); flips > 0; --flips)
      broken[random.below(static_cast<uint32_t>(broken.size()))] ^= static_cast<char>(1u << random.below(8));
    try {
      const PrecompiledCharsMap map(broken, "x");
      ++accepted;
      for (size_t i = 0; i < text.size(); ++i) {
        const auto match = map.longest_match(std::string_view(text).substr(i));
        ASSERT_LE(match.length, text.size() - i);
        ASSERT_LE(match.replacement.size(), 1024u);
      }
    } catch (const FormatError&) {}
  }
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, 300);
}

}  // namespace
}  // namespace heed::text
