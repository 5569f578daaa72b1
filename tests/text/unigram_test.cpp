// The unigram model's segmentations against all segmentations of short texts, and its n-best lists and samples against
// their probabilities and libsentencepiece.
#include "heed/text/unigram.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "corpus.h"
#include "heed/base/error.h"
#include "model_bytes.h"

namespace heed::text {
namespace {

using heed::testing::make_oracle;
using heed::testing::model_bytes;
using heed::testing::shared_lines;
using heed::testing::shared_path;
using heed::testing::small_model;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// A model with its segmenter.
struct Fixture {
  explicit Fixture(const SentencePieceModel& spec)
      : model(parse_sentencepiece_model(model_bytes(spec), "x")), pieces(model), unigram(pieces) {}
  explicit Fixture(const std::vector<SentencePieceEntry>& list)
      : Fixture(small_model(SegmentationType::kUnigram, list)) {}

  SentencePieceModel model;
  Pieces pieces;
  Unigram unigram;
};

std::vector<int32_t> ids_of(const std::vector<Segment>& segments) {
  std::vector<int32_t> ids;
  for (const Segment& segment : segments) ids.push_back(segment.id);
  return ids;
}

std::vector<int32_t> segment(const Fixture& f, std::string_view text) {
  std::vector<Segment> out;
  f.unigram.segment(text, out);
  return ids_of(out);
}

// All segmentations of an ASCII text with their scores, best first.
std::vector<std::pair<double, std::vector<int32_t>>> all_segmentations(const SentencePieceModel& model,
                                                                       std::string_view text) {
  float lowest = 0;
  for (const auto& piece : model.pieces)
    if (piece.type == PieceType::kNormal) lowest = std::min(lowest, piece.score);
  std::vector<std::vector<std::pair<double, std::vector<int32_t>>>> until(text.size() + 1);
  until[0] = {{0, {}}};
  for (size_t begin = 0; begin < text.size(); ++begin) {
    const auto extend = [&](size_t length, int32_t id, double score) {
      for (const auto& [before, ids] : until[begin]) {
        auto longer = ids;
        longer.push_back(id);
        until[begin + length].emplace_back(before + score, std::move(longer));
      }
    };
    bool covered = false;
    for (size_t id = 0; id < model.pieces.size(); ++id) {
      const auto& piece = model.pieces[id];
      if (piece.type != PieceType::kNormal || !text.substr(begin).starts_with(piece.text)) continue;
      covered = covered || piece.text.size() == 1;
      extend(piece.text.size(), static_cast<int32_t>(id), piece.score);
    }
    if (!covered) extend(1, model.unk_id, double{lowest - 10});
  }
  std::stable_sort(until.back().begin(), until.back().end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  return until.back();
}

const std::vector<SentencePieceEntry> kPieces = {{"a", -2.5f},     {"b", -3.25f}, {"ab", -4},    {"ba", -4.5f},
                                                 {"aab", -5.125f}, {"bb", -7},    {"aba", -6.5f}};

TEST(Unigram, FindsTheBestOfAllSegmentations) {
  const Fixture f(kPieces);
  Random random(1);
  for (int i = 0; i < 500; ++i) {
    std::string text;
    for (uint32_t n = 1 + random.below(10); n > 0; --n) text.push_back("aaabbbc"[random.below(7)]);
    const auto all = all_segmentations(f.model, text);
    if (all.size() > 1 && all[0].first - all[1].first < 1e-4) continue;  // ties are tested below
    ASSERT_EQ(segment(f, text), all[0].second) << text;
  }
}

TEST(Unigram, AmongEqualScoresTheLongestLastPieceWins) {
  const Fixture f({{"a", -1}, {"b", -1}, {"c", -1}, {"ab", -2}, {"bc", -2}});
  EXPECT_THAT(segment(f, "ab"), ElementsAre(5));
  EXPECT_THAT(segment(f, "abc"), ElementsAre(2, 6));
  EXPECT_THAT(segment(f, "abab"), ElementsAre(5, 5));
}

TEST(Unigram, UnknownCharactersSymbolsAndUnusedPieces) {
  const Fixture f({{"a", -1},
                   {"b", -20},
                   {"ab", -0.5f, PieceType::kUnused},
                   {"[x]", -99, PieceType::kUserDefined},
                   {"\xC3\xBC", -3}});
  EXPECT_THAT(segment(f, "ab"), ElementsAre(2, 3));        // ab is unused
  EXPECT_THAT(segment(f, "a[x]a"), ElementsAre(2, 5, 2));  // a symbol is always taken
  EXPECT_THAT(segment(f, "[x"), ElementsAre(1, 1));
  EXPECT_THAT(segment(f, "\xC3\xBC\xC3\xA4"), ElementsAre(6, 1));  // one unknown for one character
  EXPECT_THAT(segment(f, "\xC3"), ElementsAre(1));                 // a cut character is one piece, too
  EXPECT_THAT(segment(f, "</s>"), ElementsAre(1, 1, 1, 1));        // names of special pieces do not match
  EXPECT_THAT(segment(f, ""), ElementsAre());
}

TEST(Unigram, NBestAreTheBestOfAllSegmentationsInOrder) {
  const Fixture f(kPieces);
  Random random(2);
  for (int i = 0; i < 200; ++i) {
    std::string text;
    for (uint32_t n = 1 + random.below(9); n > 0; --n) text.push_back("aaabbbc"[random.below(7)]);
    const auto all = all_segmentations(f.model, text);
    for (const int count : {1, 3, 10, 1000}) {
      const auto best = f.unigram.best(text, count);
      ASSERT_EQ(best.size(), std::min<size_t>(all.size(), static_cast<size_t>(count))) << text;
      std::set<std::vector<int32_t>> seen;
      for (size_t k = 0; k < best.size(); ++k) {
        ASSERT_NEAR(best[k].score, all[k].first, 1e-9) << text;
        const std::vector<int32_t> ids = ids_of(best[k].segments);
        ASSERT_TRUE(seen.insert(ids).second) << text << ": twice the same";
        const auto same = [&](const auto& item) { return item.second == ids; };
        ASSERT_NEAR(std::find_if(all.begin(), all.end(), same)->first, best[k].score, 1e-9);
      }
    }
  }
}

TEST(Unigram, NBestScoresEqualTheLibrarys) {
  const char* file = "models/marian-multi30k-en-de/source.spm";
  HEED_NEEDS_SHARED(file);
  const SentencePieceModel model = read_sentencepiece_model(shared_path(file));
  const Pieces pieces(model);
  const Unigram unigram(pieces);
  const auto oracle = make_oracle(model.raw);
  for (const std::string& line : shared_lines("data/multi30k/val.de.gz", 20)) {
    std::string text;
    for (const std::string& piece : oracle->EncodeAsPieces(line)) text += piece;
    sentencepiece::ImmutableNBestSentencePieceText expected = oracle->NBestEncodeAsImmutableProto(line, 20);
    const auto best = unigram.best(text, 20);
    ASSERT_EQ(best.size(), expected.nbests_size());
    for (size_t k = 0; k < best.size(); ++k)
      ASSERT_NEAR(best[k].score, expected.nbests(static_cast<int>(k)).score(), 1e-3) << line;
  }
}

TEST(Unigram, NBestStaysBoundedWhereAllScoresAreEqual) {
  const Fixture f({{"a", -1}, {"aa", -2}, {"aaa", -3}, {"aaaa", -4}});
  const auto best = f.unigram.best(std::string(3000, 'a'), 100);
  ASSERT_EQ(best.size(), 100u);
  for (const auto& path : best) EXPECT_NEAR(path.score, -3000, 1e-6);
}

// Frequencies of `draws` samples against the exact distribution: within five standard deviations each.
void expect_distribution(const Fixture& f, const std::string& text, const Sampling& sampling) {
  auto all = all_segmentations(f.model, text);
  if (sampling.nbest_size > 0) all.resize(std::min<size_t>(all.size(), static_cast<size_t>(sampling.nbest_size)));
  double total = 0;
  for (const auto& [score, ids] : all) total += std::exp(sampling.alpha * (score - all[0].first));
  constexpr int kDraws = 20000;
  std::map<std::vector<int32_t>, int> counts;
  Random random(11);
  for (int i = 0; i < kDraws; ++i) {
    std::vector<Segment> out;
    f.unigram.sample(text, sampling, random, out);
    ++counts[ids_of(out)];
  }
  int seen = 0;
  for (const auto& [score, ids] : all) {
    const double p = std::exp(sampling.alpha * (score - all[0].first)) / total;
    EXPECT_NEAR(counts[ids], kDraws * p, 5 * std::sqrt(kDraws * p * (1 - p)) + 1e-9);
    seen += counts[ids];
  }
  EXPECT_EQ(seen, kDraws) << "a segmentation that should not be drawn";
}

TEST(Unigram, SamplesFollowTheSegmentationsProbabilities) {
  const Fixture f(kPieces);
  for (const double alpha : {0.0, 0.2, 1.0}) {
    expect_distribution(f, "aabab", {alpha, -1});
    expect_distribution(f, "abcab", {alpha, -1});
    expect_distribution(f, "aababb", {alpha, 4});
  }
}

TEST(Unigram, ALargeAlphaAndAnNBestOfOneGiveTheBest) {
  const Fixture f(kPieces);
  Random random(4);
  const std::vector<int32_t> best = segment(f, "aababbabaab");
  for (const Sampling sampling : {Sampling{1e5, -1}, Sampling{1e5, 50}, Sampling{0, 0}, Sampling{0, 1}}) {
    std::vector<Segment> out;
    f.unigram.sample("aababbabaab", sampling, random, out);
    EXPECT_EQ(ids_of(out), best);
  }
}

TEST(Unigram, SamplingIsAFunctionOfTheRandomNumbers) {
  const Fixture f(kPieces);
  const auto draw = [&](uint64_t seed) {
    Random random(seed);
    std::vector<Segment> out;
    for (int i = 0; i < 20; ++i) f.unigram.sample("aababbabaab", {0.1, i % 2 ? -1 : 8}, random, out);
    return ids_of(out);
  };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
}

TEST(Unigram, SamplingOptionsAreChecked) {
  const Fixture f(kPieces);
  Random random(1);
  std::vector<Segment> out;
  EXPECT_THAT(
      [&] {
        f.unigram.sample("a", {0.1, 513}, random, out);
      },
      ThrowsMessage<UsageError>(HasSubstr("n-best size of at most 512, got 513")));
  EXPECT_THAT(
      [&] {
        f.unigram.sample("a", {-0.1, -1}, random, out);
      },
      ThrowsMessage<UsageError>(HasSubstr("alpha of 0 to 1e6, got -0.1")));
  EXPECT_THROW(f.unigram.sample("a", {std::nan(""), -1}, random, out), UsageError);
}

}  // namespace
}  // namespace heed::text
