#include "heed/data/denoising.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "heed/base/error.h"

namespace heed::data {
namespace {

using Ids = std::vector<int32_t>;

constexpr int32_t kFirstSentinel = 1000;

SpanNoise spans(int sentinels = 100) {
  SpanNoise noise;
  for (int i = 0; i < sentinels; ++i) noise.sentinels.push_back(kFirstSentinel + i);
  return noise;
}

Ids text(int tokens) {
  Ids ids(static_cast<size_t>(tokens));
  std::iota(ids.begin(), ids.end(), 10);
  return ids;
}

// Puts what the target says stands for a sentinel in its place.
Ids restored(const NoisyText& noisy) {
  Ids result;
  for (const int32_t id : noisy.source) {
    if (id < kFirstSentinel) {
      result.push_back(id);
      continue;
    }
    auto at = std::find(noisy.target.begin(), noisy.target.end(), id);
    EXPECT_NE(at, noisy.target.end());
    for (++at; at != noisy.target.end() && *at < kFirstSentinel; ++at) result.push_back(*at);
  }
  return result;
}

int sentinels_in(const Ids& ids) {
  return static_cast<int>(std::count_if(ids.begin(), ids.end(), [](int32_t id) { return id >= kFirstSentinel; }));
}

TEST(SpanCorruption, SourceAndTargetTogetherAreTheText) {
  for (const int tokens : {1, 2, 3, 10, 57, 512})
    for (uint64_t seed = 0; seed < 30; ++seed) {
      Random random(seed);
      const Ids ids = text(tokens);
      const NoisyText noisy = corrupt_spans(ids, spans(), random);
      EXPECT_EQ(restored(noisy), ids);
      if (tokens == 1) continue;
      const int gone = std::clamp(static_cast<int>(std::lround(0.15 * tokens)), 1, tokens - 1);
      const int count = std::max(1, static_cast<int>(std::lround(gone / 3.0)));
      EXPECT_EQ(sentinels_in(noisy.source), count);
      EXPECT_EQ(noisy.target.size(), static_cast<size_t>(gone + count));
      EXPECT_EQ(noisy.source.size(), static_cast<size_t>(tokens - gone + count));
      // Sentinels come in their order, on both sides.
      Ids order;
      for (const int32_t id : noisy.target)
        if (id >= kFirstSentinel) order.push_back(id);
      for (int i = 0; i < count; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], kFirstSentinel + i);
      EXPECT_EQ(noisy.target.front(), kFirstSentinel);
    }
}

TEST(SpanCorruption, SpansHaveAnyLengthAndPlaceAndFollowTheStream) {
  std::set<size_t> lengths;
  std::vector<int> gone(100, 0);
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    Random random(seed), same(seed);
    const NoisyText noisy = corrupt_spans(text(100), spans(), random);
    EXPECT_EQ(corrupt_spans(text(100), spans(), same).source, noisy.source);
    size_t length = 0;
    for (const int32_t id : noisy.target) {
      if (id < kFirstSentinel) ++gone[static_cast<size_t>(id - 10)], ++length;
      else if (length > 0) lengths.insert(std::exchange(length, 0));
    }
  }
  EXPECT_GE(lengths.size(), 8u);
  for (size_t i = 20; i < 90; ++i) EXPECT_NEAR(gone[i], 300, 110) << i;
}

// As TensorFlow rounds for the authors.
TEST(SpanCorruption, HalvesAreRoundedToTheEvenNumber) {
  Random random(1);
  EXPECT_EQ(corrupt_spans(text(30), spans(), random).target.size(), 4u + 1);  // 15 %: 4.5 tokens
  SpanNoise noise = spans();
  noise.density = 0.5;
  noise.mean_length = 2;
  EXPECT_EQ(corrupt_spans(text(10), noise, random).target.size(), 5u + 2);  // 5 tokens: 2.5 spans
}

TEST(SpanCorruption, HasNoMoreSpansThanSentinels) {
  Random random(1);
  const NoisyText noisy = corrupt_spans(text(200), spans(2), random);
  EXPECT_EQ(sentinels_in(noisy.source), 2);
  EXPECT_EQ(restored(noisy), text(200));
  EXPECT_THROW(corrupt_spans(text(5), spans(0), random), UsageError);
  EXPECT_TRUE(corrupt_spans({}, spans(), random).source.empty());
}

constexpr int32_t kMask = 1;

Infilling infilling(bool permute) {
  Infilling noise;
  noise.permute = permute;
  noise.mask_id = kMask;
  noise.ends.assign(2000, false);
  noise.ends[5] = noise.ends[6] = true;  // "." and "!"
  return noise;
}

TEST(Infilling, HidesSpansOfPoissonLengthBehindOneMaskEach) {
  double hidden = 0, masks = 0, tokens = 0;
  for (uint64_t seed = 0; seed < 500; ++seed) {
    Random random(seed);
    const Ids ids = text(200);
    const NoisyText noisy = infill(ids, infilling(false), random);
    EXPECT_EQ(noisy.target, ids);
    EXPECT_LE(noisy.source.size(), ids.size());
    // What is left stands in its order.
    Ids left;
    for (const int32_t id : noisy.source)
      if (id != kMask) left.push_back(id);
    EXPECT_TRUE(std::is_sorted(left.begin(), left.end()));
    EXPECT_EQ(200 - left.size(), 60u);
    hidden += 200 - static_cast<double>(left.size());
    masks += static_cast<double>(noisy.source.size() - left.size());
    tokens += 200;
  }
  EXPECT_NEAR(hidden / tokens, 0.3, 1e-9);
  // Of Poisson(3) the mean is 3 tokens a mask, those of no length included; the last span of a text is cut, and a span
  // that meets another is, too.
  EXPECT_NEAR(hidden / masks, 2.85, 0.2);
}

// What stands before a token that stays, or at the end: masks, and how many tokens are missing.
struct Gap {
  int masks = 0, missing = 0;
};

std::vector<Gap> gaps_in(const Ids& source, int tokens) {
  std::vector<Gap> gaps(1);
  int32_t next = text(1).front();
  const int32_t end = next + tokens;
  for (const int32_t id : source) {
    if (id == kMask) {
      ++gaps.back().masks;
      continue;
    }
    gaps.back().missing = id - next;
    next = id + 1;
    gaps.emplace_back();
  }
  gaps.back().missing = end - next;
  return gaps;
}

TEST(Infilling, ASpanWithoutLengthInsertsAMaskAndRemovesNothing) {
  int inserted = 0, spans = 0;
  for (uint64_t seed = 0; seed < 500; ++seed) {
    Random random(seed);
    const NoisyText noisy = infill(text(200), infilling(false), random);
    int missing = 0, more = 0, own = 0;
    for (const Gap& gap : gaps_in(noisy.source, 200)) {
      const int of_span = gap.missing > 0;  // spans do not touch
      EXPECT_GE(gap.masks, of_span);
      missing += gap.missing;
      own += of_span;
      more += gap.masks - of_span;
    }
    EXPECT_EQ(missing, 60);
    EXPECT_LE(more, missing - own) << "the source is no longer than the text";
    inserted += more;
    spans += own;
  }
  // One length in e^3 is 0, and rather more of those that find a place.
  const double share = static_cast<double>(inserted) / (inserted + spans);
  EXPECT_GT(share, 0.055);
  EXPECT_LT(share, 0.1);
}

TEST(Infilling, SentencesChangePlacesWhole) {
  const Ids ids{10, 11, 5, 20, 6, 5, 30, 31, 32, 5, 40};  // "..!." ends one sentence
  Infilling noise = infilling(true);
  noise.density = 1e-9;  // one token is hidden all the same
  std::set<Ids> orders;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Random random(seed);
    const NoisyText noisy = infill(ids, noise, random);
    EXPECT_EQ(noisy.target, ids);
    EXPECT_EQ(std::count(noisy.source.begin(), noisy.source.end(), kMask), 1);
    Ids firsts;
    for (const int32_t id : noisy.source)
      if (id == 11 || id == 20 || id == 31 || id == 40) firsts.push_back(id);
    if (firsts.size() == 4) orders.insert(firsts);
    const auto eleven = std::find(noisy.source.begin(), noisy.source.end(), 11);
    if (eleven != noisy.source.end() && eleven != noisy.source.begin()) {
      EXPECT_THAT(*(eleven - 1), ::testing::AnyOf(10, kMask));
    }
  }
  EXPECT_EQ(orders.size(), 24u);
}

TEST(Infilling, TakesTextsOfAnyLength) {
  for (int tokens = 0; tokens < 12; ++tokens)
    for (uint64_t seed = 0; seed < 20; ++seed) {
      Random random(seed);
      const NoisyText noisy = infill(text(tokens), infilling(true), random);
      EXPECT_EQ(noisy.target, text(tokens));
      EXPECT_LE(noisy.source.size(), static_cast<size_t>(tokens));
      EXPECT_EQ(noisy.source.empty(), tokens == 0);
    }
}

}  // namespace
}  // namespace heed::data
