#include "heed/decode/beam_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "heed/base/random.h"
#include "heed/decode/decode.h"
#include "reference_beam_search.h"
#include "toy_generator.h"

namespace heed::decode {
namespace {

using heed::testing::expect_same;
using heed::testing::Ids;
using heed::testing::random_logits;
using heed::testing::ToyGenerator;

Options beam_options(int beam) {
  Options options;
  options.beam = options.n_best = beam;
  options.eos = {0};
  options.max_new_tokens = 20;
  options.token_log_probs = true;
  return options;
}

struct Sentence {
  Ids ids;
  float score;
};

// All outputs of at most `most` tokens behind `ids`, with their normalised scores.
void enumerate(const ToyGenerator& model, std::span<const int32_t> input, Ids& ids, double sum, size_t most,
               const Options& options, std::vector<Sentence>& all) {
  std::vector<float> logits(static_cast<size_t>(model.vocab_size()));
  model.logits(input, ids, logits);
  double total = 0;
  for (const float x : logits) total += std::exp(double{x});
  for (int32_t v = 0; v < model.vocab_size(); ++v) {
    const double next = sum + logits[static_cast<size_t>(v)] - std::log(total);
    ids.push_back(v);
    if (v == 0 || ids.size() - 1 == most)
      all.push_back({{ids.begin() + 1, ids.end()},
                     static_cast<float>(next) / length_divisor(options, static_cast<int64_t>(ids.size()) - 1)});
    else enumerate(model, input, ids, next, most, options, all);
    ids.pop_back();
  }
}

// A beam that holds every prefix finds every output.
TEST(BeamSearch, AWideBeamIsExhaustive) {
  const ToyGenerator model(4, random_logits(3, {0}));
  const Ragged inputs = heed::testing::toy_inputs(5, 1);
  for (const double penalty : {0.0, 0.6, 1.0, 2.0}) {
    Options options = beam_options(128);
    options.max_new_tokens = 4;
    options.length_penalty = penalty;
    const auto results = decode_batch(model, inputs, options);
    for (int i = 0; i < inputs.rows(); ++i) {
      std::vector<Sentence> all;
      Ids ids{ToyGenerator::kStart};
      enumerate(model, inputs.row(i), ids, 0, 4, options, all);
      ASSERT_EQ(all.size(), 121u);
      std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
      const auto& found = results[static_cast<size_t>(i)];
      ASSERT_EQ(found.size(), all.size());
      for (size_t h = 0; h < all.size(); ++h) {
        EXPECT_EQ(found[h].ids, all[h].ids) << "input " << i << " output " << h;
        EXPECT_NEAR(found[h].score, all[h].score, 1e-5);
      }
    }
  }
}

Options random_options(Random& random, int vocab) {
  Options o = beam_options(2 + static_cast<int>(random.below(5)));
  o.token_log_probs = false;
  o.length_penalty = std::vector<double>{0, 0.6, 1, 2, -0.5}[random.below(5)];
  o.early_stopping = static_cast<EarlyStopping>(random.below(3));
  if (random.below(4) == 0) o.length_normalisation = LengthNormalisation::kGnmt;
  for (uint32_t i = random.below(3); i > 0; --i) o.eos.push_back(static_cast<int32_t>(1 + i));
  o.max_new_tokens = 1 + static_cast<int>(random.below(20));
  if (random.below(3) == 0) o.min_new_tokens = static_cast<int>(random.below(static_cast<uint32_t>(o.max_new_tokens)));
  if (random.below(3) == 0) o.no_repeat_ngram_size = 1 + static_cast<int>(random.below(3));
  if (random.below(3) == 0) o.repetition_penalty = random.below(2) ? 1.3f : 0.8f;
  if (random.below(3) == 0) o.bad_words_ids = {{5}, {6, 7}, {0}, {static_cast<int32_t>(vocab) - 1}};
  if (random.below(4) == 0) o.forced_eos = {0};
  if (random.below(4) == 0) o.forced_bos = 8;
  if (random.below(4) == 0) o.suppress_tokens = {9, 10};
  if (random.below(6) == 0) o.ignore_eos = true;
  return o;
}

TEST(BeamSearch, AgreesWithTheReference) {
  Random random(11);
  for (int trial = 0; trial < 600; ++trial) {
    const int vocab = 60 + static_cast<int>(random.below(40));
    const Options options = random_options(random, vocab);
    const ToyGenerator model(vocab, random_logits(static_cast<uint64_t>(trial), {0, 2, 3}));
    const Ragged inputs = heed::testing::toy_inputs(3, static_cast<uint64_t>(trial));
    const auto results = decode_batch(model, inputs, options);
    for (int i = 0; i < inputs.rows(); ++i) {
      const auto expected = heed::testing::reference_beam_search(model, inputs.row(i), {ToyGenerator::kStart},
                                                                 1 + options.max_new_tokens, options);
      const auto& found = results[static_cast<size_t>(i)];
      ASSERT_EQ(found.size(), expected.size()) << "trial " << trial << " input " << i;
      for (size_t h = 0; h < found.size(); ++h) {
        EXPECT_EQ(found[h].ids, expected[h].ids) << "trial " << trial << " input " << i << " hypothesis " << h;
        EXPECT_NEAR(found[h].score, expected[h].score, 1e-4f * (1 + std::abs(expected[h].score)));
        const float sum = expected[h].sum_log_prob;
        EXPECT_NEAR(found[h].sum_log_prob, sum, 1e-4f * (1 + std::abs(sum)));
        EXPECT_EQ(found[h].finished, expected[h].finished);
      }
    }
  }
}

TEST(BeamSearch, TheBatchDoesNotMatter) {
  for (int variant = 0; variant < 3; ++variant) {
    Options options = beam_options(4);
    if (variant == 1) options.repetition_penalty = 1.2f;
    if (variant == 2) options.no_repeat_ngram_size = 2;
    const ToyGenerator model(50, random_logits(21, {0}));
    const Ragged inputs = heed::testing::toy_inputs(64, 2);
    const auto all = decode_batch(model, inputs, options);
    for (const int size : {1, 7})
      for (int begin = 0; begin < inputs.rows(); begin += size) {
        const int count = std::min(size, inputs.rows() - begin);
        const auto part = decode_batch(model, heed::testing::slice(inputs, begin, count), options);
        for (int i = 0; i < count; ++i)
          expect_same(part[static_cast<size_t>(i)], all[static_cast<size_t>(begin + i)],
                      "input " + std::to_string(begin + i) + " in batches of " + std::to_string(size));
      }
  }
}

TEST(BeamSearch, HypothesesAreSortedDistinctAndAddUp) {
  Options options = beam_options(6);
  options.length_penalty = 0.6;
  const ToyGenerator model(40, random_logits(5, {0}));
  for (const auto& hypotheses : decode_batch(model, heed::testing::toy_inputs(20, 3), options)) {
    ASSERT_EQ(hypotheses.size(), 6u);
    for (size_t h = 0; h < hypotheses.size(); ++h) {
      const Hypothesis& x = hypotheses[h];
      if (h > 0) {
        EXPECT_GE(hypotheses[h - 1].score, x.score);
        EXPECT_NE(hypotheses[h - 1].ids, x.ids);
      }
      ASSERT_EQ(x.token_log_probs.size(), x.ids.size());
      EXPECT_NEAR(std::accumulate(x.token_log_probs.begin(), x.token_log_probs.end(), 0.0), x.sum_log_prob, 1e-4);
      EXPECT_FLOAT_EQ(x.score, x.sum_log_prob / length_divisor(options, static_cast<int64_t>(x.ids.size())));
      EXPECT_EQ(x.finished, x.ids.back() == 0);
      EXPECT_LE(x.ids.size(), 20u);
      EXPECT_EQ(std::count(x.ids.begin(), x.ids.end(), 0), x.finished ? 1 : 0);
    }
  }
}

TEST(BeamSearch, LeastLength) {
  Options options = beam_options(3);
  options.min_new_tokens = 8;
  const ToyGenerator model(30, random_logits(6, {0}));
  for (const auto& hypotheses : decode_batch(model, heed::testing::toy_inputs(10, 4), options))
    for (const Hypothesis& h : hypotheses) EXPECT_GT(h.ids.size(), 8u);
}

TEST(BeamSearch, NoNgramTwice) {
  Options options = beam_options(3);
  options.no_repeat_ngram_size = 2;
  options.min_new_tokens = 15;
  const ToyGenerator model(30, random_logits(6, {0}));
  for (const auto& hypotheses : decode_batch(model, heed::testing::toy_inputs(10, 4), options))
    for (const Hypothesis& h : hypotheses) {
      std::vector<std::pair<int32_t, int32_t>> pairs;
      for (size_t i = 1; i < h.ids.size(); ++i) pairs.emplace_back(h.ids[i - 1], h.ids[i]);
      std::sort(pairs.begin(), pairs.end());
      EXPECT_EQ(std::adjacent_find(pairs.begin(), pairs.end()), pairs.end());
    }
}

// Prefixes of different lengths in one batch, against the reference that has the prefix in its prompt.
TEST(BeamSearch, ForcedPrefixes) {
  Options options = beam_options(4);
  options.max_new_tokens = 0;
  options.max_length = 12;
  options.token_log_probs = false;
  options.no_repeat_ngram_size = 2;
  options.target_prefix = heed::testing::ragged({{}, {5}, {7, 8, 9}, {4, 4}, {6, 7, 8, 9, 10, 11}});
  const ToyGenerator model(60, random_logits(9, {0}));
  const Ragged inputs = heed::testing::toy_inputs(5, 6);
  const auto results = decode_batch(model, inputs, options);
  for (int i = 0; i < 5; ++i) {
    const auto prefix = options.target_prefix.row(i);
    Ids prompt{ToyGenerator::kStart};
    prompt.insert(prompt.end(), prefix.begin(), prefix.end());
    const auto expected = heed::testing::reference_beam_search(model, inputs.row(i), prompt, 12, options);
    const auto& found = results[static_cast<size_t>(i)];
    ASSERT_EQ(found.size(), expected.size());
    for (size_t h = 0; h < found.size(); ++h) {
      Ids whole(prefix.begin(), prefix.end());
      whole.insert(whole.end(), expected[h].ids.begin(), expected[h].ids.end());
      EXPECT_EQ(found[h].ids, whole) << "input " << i << " hypothesis " << h;
      EXPECT_NEAR(found[h].score, expected[h].score, 1e-4);
    }
  }
}

TEST(BeamSearch, PromptsOfADecoderOnlyModel) {
  Options options = beam_options(4);
  options.token_log_probs = false;
  options.continues_input = true;
  options.max_new_tokens = 0;
  options.max_length = 14;
  options.repetition_penalty = 1.4f;
  const ToyGenerator model(60, random_logits(12, {0}), 100, true);
  const Ragged inputs = heed::testing::toy_inputs(6, 8);
  const auto results = decode_batch(model, inputs, options);
  for (int i = 0; i < 6; ++i) {
    const Ids prompt(inputs.row(i).begin(), inputs.row(i).end());
    const auto expected = heed::testing::reference_beam_search(model, {}, prompt, 14, options);
    ASSERT_EQ(results[static_cast<size_t>(i)].size(), expected.size());
    for (size_t h = 0; h < expected.size(); ++h)
      EXPECT_EQ(results[static_cast<size_t>(i)][h].ids, expected[h].ids) << "input " << i << " hypothesis " << h;
  }
}

TEST(BeamSearch, FinishedInputsLeaveTheBatch) {
  Options options = beam_options(3);
  options.early_stopping = EarlyStopping::kTrue;
  const ToyGenerator model(30, random_logits(6, {0}));
  std::vector<int> order;
  Stream stream;
  stream.on_finished = [&](int input, const std::vector<Hypothesis>& h) {
    EXPECT_EQ(h.size(), 3u);
    order.push_back(input);
  };
  decode_batch(model, heed::testing::toy_inputs(20, 4), options, {}, stream);
  const auto& rows = model.log.rows;
  EXPECT_EQ(rows[0], 20);
  EXPECT_EQ(rows[1], 60);
  EXPECT_TRUE(std::is_sorted(rows.begin() + 1, rows.end(), std::greater<>()));
  EXPECT_LE(rows.back(), 30);
  EXPECT_EQ(order.size(), 20u);
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
}

}  // namespace
}  // namespace heed::decode
