#include "heed/decode/candidates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "heed/base/error.h"
#include "heed/base/random.h"

namespace heed::decode {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Ids = std::vector<int32_t>;

constexpr float kNever = -std::numeric_limits<float>::infinity();

std::vector<float> random_rows(int rows, int vocab, uint64_t seed) {
  Random random(seed);
  std::vector<float> x(static_cast<size_t>(rows * vocab));
  for (float& v : x) v = static_cast<float>(3 * random.normal());
  return x;
}

std::vector<float> log_softmax(std::span<const float> x) {
  double total = 0;
  for (const float v : x) total += std::exp(double{v});
  std::vector<float> y;
  for (const float v : x) y.push_back(static_cast<float>(v - std::log(total)));
  return y;
}

TEST(TopK, AgreesWithSorting) {
  std::vector<std::pair<float, int32_t>> scratch;
  Random random(5);
  for (int n : {1, 2, 7, 40})
    for (int k : {1, 2, 7, 50}) {
      std::vector<float> x(static_cast<size_t>(n));
      for (float& v : x) v = random.below(5) == 0 ? kNever : static_cast<float>(random.below(6));
      Ids order(static_cast<size_t>(n));
      std::iota(order.begin(), order.end(), 0);
      std::erase_if(order, [&](int32_t i) { return x[static_cast<size_t>(i)] == kNever; });
      std::stable_sort(order.begin(), order.end(),
                       [&](int32_t a, int32_t b) { return x[static_cast<size_t>(a)] > x[static_cast<size_t>(b)]; });
      std::vector<float> values(static_cast<size_t>(k));
      Ids ids(static_cast<size_t>(k));
      const int found = top_k(x, k, scratch, values, ids);
      order.resize(std::min(order.size(), static_cast<size_t>(k)));
      ids.resize(static_cast<size_t>(found));
      EXPECT_EQ(ids, order);
      for (size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(values[i], x[static_cast<size_t>(ids[i])]);
    }
}

// The way that leaves the logits alone, and the general one, against the plain definition: log-softmax, processors,
// sort.
TEST(CandidateFinder, BothWaysAgreeWithTheDefinition) {
  constexpr int kRows = 9, kVocab = 120;
  Random random(8);
  for (int trial = 0; trial < 60; ++trial) {
    Options options;
    options.eos = {2, 3};
    if (trial % 2) options.repetition_penalty = 1.5f;
    if (trial % 3 == 1) options.no_repeat_ngram_size = 1 + static_cast<int>(random.below(2));
    if (trial % 3 == 2) options.min_new_tokens = 4;
    if (trial % 5 == 1) options.bad_words_ids = {{7}, {9}, {5, 11}};
    if (trial % 5 == 2)
      for (int32_t i = 20; i < 100; ++i) options.suppress_tokens.push_back(i);  // too many to pass over
    if (trial % 5 == 3) options.forced_eos = {3, 2};
    const Processors processors(options);
    const std::vector<float> logits = random_rows(kRows, kVocab, static_cast<uint64_t>(trial));
    std::vector<Ids> ids(kRows);
    std::vector<Sequence> sequences;
    std::vector<const Sequence*> pointers;
    for (Ids& row : ids) {
      row.resize(6);
      for (int32_t& id : row) id = static_cast<int32_t>(random.below(15));
      sequences.push_back({row, 6, 3, random.below(2) ? 7 : 20});
    }
    for (const Sequence& s : sequences) pointers.push_back(&s);
    pointers[4] = nullptr;
    CandidateFinder finder(processors, 10);
    finder.find(Tensor::from(logits, {kRows, kVocab}), pointers);
    Scratch scratch;
    for (int r = 0; r < kRows; ++r) {
      if (!pointers[static_cast<size_t>(r)]) {
        EXPECT_THAT(finder.row(r).ids, IsEmpty());
        continue;
      }
      std::vector<float> expected = log_softmax(std::span(logits).subspan(static_cast<size_t>(r * kVocab), kVocab));
      processors.apply(sequences[static_cast<size_t>(r)], expected, scratch);
      std::vector<float> values(10);
      Ids best(10);
      best.resize(static_cast<size_t>(top_k(expected, 10, scratch.order, values, best)));
      const Candidates found = finder.row(r);
      ASSERT_EQ(Ids(found.ids.begin(), found.ids.end()), best) << "trial " << trial << " row " << r;
      for (size_t i = 0; i < best.size(); ++i) EXPECT_NEAR(found.log_probs[i], values[i], 2e-5f);
    }
  }
}

TEST(CandidateFinder, SmallVocabulary) {
  Options options;
  options.suppress_tokens = {0};
  const Processors processors(options);
  CandidateFinder finder(processors, 10);
  const Sequence sequence{{}, 1, 1, 10};
  const std::vector<const Sequence*> rows{&sequence};
  finder.find(Tensor::from(std::vector<float>{9, kNever, 1, 2}, {1, 4}), rows);
  EXPECT_THAT(finder.row(0).ids, ElementsAre(3, 2));
}

TEST(CandidateFinder, RowsDoNotDependOnTheirNeighbours) {
  constexpr int kRows = 33, kVocab = 301;
  Options options;
  options.repetition_penalty = 1.2f;
  const Processors processors(options);
  const std::vector<float> logits = random_rows(kRows, kVocab, 4);
  const Ids ids{1, 5, 9};
  const Sequence sequence{ids, 3, 1, 10};
  const std::vector<const Sequence*> pointers(kRows, &sequence);
  CandidateFinder all(processors, 6), one(processors, 6);
  all.find(Tensor::from(logits, {kRows, kVocab}), pointers);
  for (int r = 0; r < kRows; ++r) {
    const auto row = std::span(logits).subspan(static_cast<size_t>(r * kVocab), kVocab);
    one.find(Tensor::from(row, {1, kVocab}), std::span(pointers).first(1));
    EXPECT_TRUE(std::ranges::equal(one.row(0).ids, all.row(r).ids));
    EXPECT_TRUE(std::ranges::equal(one.row(0).log_probs, all.row(r).log_probs));
  }
}

TEST(CandidateFinder, LogitsThatAreNotNumbers) {
  const Processors processors({});
  CandidateFinder finder(processors, 2);
  const Sequence sequence{{}, 1, 1, 10};
  const std::vector<const Sequence*> rows{nullptr, &sequence}, other{&sequence, nullptr};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor logits = Tensor::from(std::vector<float>{1, 2, 3, nan, nan, nan}, {2, 3});
  EXPECT_THROW(finder.find(logits, rows), Error);
  EXPECT_NO_THROW(finder.find(logits, other));
}

}  // namespace
}  // namespace heed::decode
