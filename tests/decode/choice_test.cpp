#include "heed/decode/choice.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "heed/base/random.h"

namespace heed::decode {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

TEST(Choice, ArgmaxOfAnyLength) {
  Random random(3);
  for (int n = 1; n < 100; ++n) {
    std::vector<float> x(static_cast<size_t>(n));
    for (float& v : x) v = static_cast<float>(random.below(20)) - 10;  // with ties
    EXPECT_EQ(argmax(x), std::max_element(x.begin(), x.end()) - x.begin()) << n;
  }
}

TEST(Choice, ArgmaxOfNothingPossible) {
  EXPECT_EQ(argmax(std::vector<float>(40, kNever)), -1);
  EXPECT_EQ(argmax(std::vector<float>(40, std::numeric_limits<float>::quiet_NaN())), -1);
  EXPECT_EQ(argmax({}), -1);
  EXPECT_EQ(argmax(std::vector<float>{kNever, -1e30f, kNever}), 1);
}

TEST(Choice, DrawsArePureAndDiffer) {
  std::set<double> seen;
  for (uint64_t seed : {1ull, 2ull, 1ull << 40})
    for (uint64_t example : {0ull, 1ull, 1ull << 33})
      for (uint32_t step : {0u, 1u})
        for (uint32_t number : {0u, 1u}) {
          const double u = uniform_draw(seed, example, step, number);
          EXPECT_EQ(u, uniform_draw(seed, example, step, number));
          EXPECT_GE(u, 0);
          EXPECT_LT(u, 1);
          seen.insert(u);
        }
  EXPECT_EQ(seen.size(), 36u);
}

TEST(Choice, SampleInvertsTheCumulativeDistribution) {
  const std::vector<float> logits{std::log(0.2f), kNever, std::log(0.5f), std::log(0.3f), kNever};
  std::vector<float> scratch;
  EXPECT_EQ(sample(logits, 0, scratch), 0);
  EXPECT_EQ(sample(logits, 0.199, scratch), 0);
  EXPECT_EQ(sample(logits, 0.201, scratch), 2);
  EXPECT_EQ(sample(logits, 0.699, scratch), 2);
  EXPECT_EQ(sample(logits, 0.701, scratch), 3);
  EXPECT_EQ(sample(logits, std::nextafter(1.0, 0.0), scratch), 3);
  EXPECT_EQ(sample(std::vector<float>(3, kNever), 0.5, scratch), -1);
}

// A chi-squared test of 200,000 draws; 26.1 is the 0.999 quantile at 8 degrees of freedom.
TEST(Choice, SampleFrequencies) {
  const std::vector<float> logits{0, 1, 2, -1, kNever, 0.5f, 0, 1.5f, -2, 0.1f};
  std::vector<double> probability;
  double total = 0;
  for (const float x : logits) total += std::exp(x);
  for (const float x : logits) probability.push_back(std::exp(x) / total);
  constexpr int kDraws = 200000;
  std::vector<int> counts(logits.size());
  std::vector<float> scratch;
  for (int i = 0; i < kDraws; ++i) {
    const double u = uniform_draw(7, static_cast<uint64_t>(i / 100), static_cast<uint32_t>(i % 10),
                                  static_cast<uint32_t>(i / 10 % 10));
    ++counts[static_cast<size_t>(sample(logits, u, scratch))];
  }
  double chi_squared = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (probability[i] == 0) {
      EXPECT_EQ(counts[i], 0);
      continue;
    }
    const double expected = kDraws * probability[i], off = counts[i] - expected;
    chi_squared += off * off / expected;
  }
  EXPECT_LT(chi_squared, 26.1);
}

}  // namespace
}  // namespace heed::decode
