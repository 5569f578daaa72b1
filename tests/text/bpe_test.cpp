// Byte pair encoding against its definition, step by step, and against libsentencepiece.
#include "heed/text/bpe.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "corpus.h"
#include "heed/base/error.h"
#include "model_bytes.h"

namespace heed::text {
namespace {

using heed::testing::make_oracle;
using heed::testing::model_bytes;
using heed::testing::small_model;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

struct Fixture {
  explicit Fixture(const std::vector<SentencePieceEntry>& list) : model(make(list)), pieces(model), bpe(pieces) {}

  static SentencePieceModel make(const std::vector<SentencePieceEntry>& list) {
    SentencePieceModel spec = small_model(SegmentationType::kBpe, list);
    spec.normalizer = {"identity", "", false, false, false};
    return parse_sentencepiece_model(model_bytes(spec), "x");
  }

  SentencePieceModel model;
  Pieces pieces;
  Bpe bpe;
};

std::vector<std::string> words(std::string_view text, const std::vector<Segment>& segments) {
  std::vector<std::string> all;
  for (const Segment& s : segments) all.emplace_back(text.substr(s.begin, s.length));
  return all;
}

std::vector<std::string> segment(const Fixture& f, std::string_view text) {
  std::vector<Segment> out;
  f.bpe.segment(text, out);
  return words(text, out);
}

// The definition: as long as any neighbours join to a piece, merge the best pair, leftmost first.
std::vector<std::string> by_definition(const SentencePieceModel& model, const std::string& text) {
  std::vector<std::string> parts;
  for (const char c : text) parts.emplace_back(1, c);
  for (;;) {
    const SentencePieceEntry* best = nullptr;
    size_t at = 0;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      for (const SentencePieceEntry& piece : model.pieces) {
        if (piece.type != PieceType::kNormal || piece.text != parts[i] + parts[i + 1]) continue;
        if (!best || piece.score > best->score) best = &piece, at = i;
      }
    }
    if (!best) return parts;
    parts[at] += parts[at + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
}

// A vocabulary of random short texts over few letters; some scores are equal.
std::vector<SentencePieceEntry> random_pieces(Random& random, uint32_t count, bool with_unused) {
  std::vector<SentencePieceEntry> pieces = {{"a", -100}, {"b", -101}};
  std::vector<std::string> seen = {"a", "b", "c"};
  for (uint32_t i = 0; i < count; ++i) {
    std::string text;
    for (uint32_t n = 2 + random.below(4); n > 0; --n) text.push_back("abc"[random.below(3)]);
    if (std::find(seen.begin(), seen.end(), text) != seen.end()) continue;
    seen.push_back(text);
    const bool unused = with_unused && random.below(3) == 0;
    pieces.push_back(
        {text, -static_cast<float>(random.below(count)), unused ? PieceType::kUnused : PieceType::kNormal});
  }
  return pieces;
}

std::string random_text(Random& random) {
  std::string text;
  for (uint32_t n = random.below(25); n > 0; --n) text.push_back("abcd"[random.below(4)]);
  return text;
}

TEST(Bpe, MergesAsDefined) {
  Random random(1);
  for (int model = 0; model < 30; ++model) {
    const Fixture f(random_pieces(random, 25, false));
    for (int i = 0; i < 60; ++i) {
      const std::string text = random_text(random);
      ASSERT_EQ(segment(f, text), by_definition(f.model, text)) << text;
    }
  }
}

TEST(Bpe, UnusedPiecesAndSymbolsEqualTheLibrary) {
  Random random(2);
  for (int model = 0; model < 60; ++model) {
    std::vector<SentencePieceEntry> pieces = random_pieces(random, 30, true);
    if (model % 2) pieces.push_back({"bda", 0, PieceType::kUserDefined});
    const Fixture f(pieces);
    const auto oracle = make_oracle(f.model.raw);
    for (int i = 0; i < 60; ++i) {
      const std::string text = random_text(random);
      std::vector<Segment> out;
      f.bpe.segment(text, out);
      std::vector<int32_t> ids;
      for (const Segment& s : out)
        if (s.id != f.model.unk_id || ids.empty() || ids.back() != s.id) ids.push_back(s.id);  // as it joins unknowns
      ASSERT_EQ(ids, oracle->EncodeAsIds(text)) << text;
    }
  }
}

const std::vector<SentencePieceEntry> kAbc = {{"a", -10}, {"b", -11}, {"c", -12}, {"ab", -1}, {"abc", -2}, {"bc", -3}};

TEST(Bpe, DropoutSkipsMergesWithItsProbability) {
  const Fixture f(kAbc);
  Random random(3);
  const auto sample = [&](double alpha) {
    std::vector<Segment> out;
    f.bpe.sample("abc", {alpha, -1}, random, out);
    return words("abc", out);
  };
  EXPECT_THAT(sample(0), ElementsAre("abc"));
  EXPECT_THAT(sample(1), ElementsAre("a", "b", "c"));
  // "ab" is made with 1 - alpha, then "abc" with 1 - alpha; else "bc" with 1 - alpha, then "abc" likewise.
  constexpr int kDraws = 20000;
  constexpr double kAlpha = 0.3;
  std::map<std::vector<std::string>, int> counts;
  for (int i = 0; i < kDraws; ++i) ++counts[sample(kAlpha)];
  const double keep = 1 - kAlpha;
  const std::vector<std::pair<std::vector<std::string>, double>> expected = {
      {{"abc"}, keep * keep + kAlpha * keep * keep},
      {{"ab", "c"}, keep * kAlpha},
      {{"a", "bc"}, kAlpha * keep * kAlpha},
      {{"a", "b", "c"}, kAlpha * kAlpha}};
  for (const auto& [result, p] : expected) EXPECT_NEAR(counts[result], kDraws * p, 5 * std::sqrt(kDraws * p * (1 - p)));
}

TEST(Bpe, SamplingIsAFunctionOfTheRandomNumbers) {
  const Fixture f(kAbc);
  const auto draw = [&](uint64_t seed) {
    Random random(seed);
    std::vector<Segment> out;
    for (int i = 0; i < 30; ++i) f.bpe.sample("abcabcab", {0.5, -1}, random, out);
    std::vector<int32_t> ids;
    for (const Segment& s : out) ids.push_back(s.id);
    return ids;
  };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
}

TEST(Bpe, SamplingOptionsAreChecked) {
  const Fixture f(kAbc);
  Random random(1);
  std::vector<Segment> out;
  EXPECT_THAT(
      [&] {
        f.bpe.sample("a", {1.5, -1}, random, out);
      },
      ThrowsMessage<UsageError>(HasSubstr("dropout probability (alpha) of 0 to 1, got 1.5")));
  EXPECT_THROW(f.bpe.sample("a", {std::nan(""), -1}, random, out), UsageError);
}

}  // namespace
}  // namespace heed::text
