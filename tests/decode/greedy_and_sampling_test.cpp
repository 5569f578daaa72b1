#include "heed/decode/greedy_and_sampling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "heed/base/error.h"
#include "heed/decode/decode.h"
#include "heed/decode/processors.h"
#include "toy_generator.h"

namespace heed::decode {
namespace {

using heed::testing::expect_same;
using heed::testing::Ids;
using heed::testing::random_logits;
using heed::testing::ToyGenerator;
using ::testing::ElementsAre;

Options greedy_options() {
  Options options;
  options.eos = {0};
  options.max_new_tokens = 15;
  options.token_log_probs = true;
  return options;
}

Options sampling_options(int samples) {
  Options options = greedy_options();
  options.do_sample = true;
  options.n_best = samples;
  options.seed = 5;
  return options;
}

struct Expected {
  Ids ids;
  std::vector<double> log_probs;
};

// Greedy search as it is defined: processors on the logits, the first of the largest.
Expected greedy_by_definition(const ToyGenerator& model, std::span<const int32_t> input, const Ids& prompt,
                              size_t max_length, const Options& options) {
  const Processors processors(options);
  Scratch scratch;
  Ids ids = prompt;
  Expected expected;
  while (ids.size() < max_length) {
    std::vector<float> logits(static_cast<size_t>(model.vocab_size()));
    model.logits(input, ids, logits);
    double total = 0;
    for (const float x : logits) total += std::exp(double{x});
    std::vector<float> processed = logits;
    processors.apply(
        {ids, static_cast<int64_t>(ids.size()), static_cast<int64_t>(prompt.size()), static_cast<int64_t>(max_length)},
        processed, scratch);
    const auto best = std::max_element(processed.begin(), processed.end()) - processed.begin();
    ids.push_back(static_cast<int32_t>(best));
    expected.ids.push_back(ids.back());
    expected.log_probs.push_back(logits[static_cast<size_t>(best)] - std::log(total));
    if (ids.back() == 0) break;
  }
  return expected;
}

TEST(Greedy, AgreesWithItsDefinition) {
  for (int variant = 0; variant < 24; ++variant) {
    Options options = greedy_options();
    if (variant & 1) options.repetition_penalty = 1.5f;
    if (variant & 2) options.no_repeat_ngram_size = 2;
    if (variant & 4) options.min_new_tokens = 6;
    if (variant & 8) options.bad_words_ids = {{4}, {5, 6}};
    if (variant & 16) options.forced_eos = {0};
    if (variant & 16) options.forced_bos = 7;
    const ToyGenerator model(25, random_logits(static_cast<uint64_t>(variant), {0}));
    const Ragged inputs = heed::testing::toy_inputs(12, 1);
    const auto results = decode_batch(model, inputs, options);
    Options plain = options;
    plain.scores = plain.token_log_probs = false;
    const auto without_scores = decode_batch(model, inputs, plain);
    for (int i = 0; i < inputs.rows(); ++i) {
      const auto expected = greedy_by_definition(model, inputs.row(i), {ToyGenerator::kStart}, 16, options);
      const auto& found = results[static_cast<size_t>(i)];
      ASSERT_EQ(found.size(), 1u);
      ASSERT_EQ(found[0].ids, expected.ids) << "variant " << variant << " input " << i;
      for (size_t t = 0; t < expected.ids.size(); ++t)
        EXPECT_NEAR(found[0].token_log_probs[t], expected.log_probs[t], 1e-4);
      const double sum = std::accumulate(expected.log_probs.begin(), expected.log_probs.end(), 0.0);
      EXPECT_NEAR(found[0].sum_log_prob, sum, 1e-4 * (1 - sum));
      EXPECT_NEAR(found[0].score, sum / static_cast<double>(expected.ids.size()), 1e-4);
      EXPECT_EQ(found[0].finished, expected.ids.back() == 0);
      EXPECT_EQ(without_scores[static_cast<size_t>(i)][0].ids, expected.ids);
      EXPECT_EQ(without_scores[static_cast<size_t>(i)][0].score, 0);
    }
  }
}

TEST(Greedy, TiesGoToTheLowerId) {
  const ToyGenerator model(5, [](auto, auto ids, std::span<float> out) {
    std::fill(out.begin(), out.end(), 1.0f);
    if (ids.size() == 3) out[4] = 1.5f;
    out[0] = 0;
  });
  for (const bool scores : {false, true}) {
    Options options = greedy_options();
    options.scores = options.token_log_probs = scores;
    options.max_new_tokens = 4;
    EXPECT_THAT(decode_batch(model, heed::testing::ragged({{1}}), options)[0][0].ids, ElementsAre(1, 1, 4, 1));
  }
}

TEST(Greedy, PrefixesAndPrompts) {
  Options options = greedy_options();
  options.max_new_tokens = 0;
  options.max_length = 10;
  options.target_prefix = heed::testing::ragged({{}, {5, 6, 7}, {8}});
  options.repetition_penalty = 1.3f;
  const Ragged inputs = heed::testing::toy_inputs(3, 1);
  for (const bool decoder_only : {false, true}) {
    options.continues_input = decoder_only;
    const ToyGenerator model(25, random_logits(3, {0}), 100, decoder_only);
    const auto results = decode_batch(model, inputs, options);
    for (int i = 0; i < 3; ++i) {
      const auto prefix = options.target_prefix.row(i);
      Ids prompt{ToyGenerator::kStart};
      if (decoder_only) prompt.assign(inputs.row(i).begin(), inputs.row(i).end());
      prompt.insert(prompt.end(), prefix.begin(), prefix.end());
      const std::span<const int32_t> source = decoder_only ? std::span<const int32_t>{} : inputs.row(i);
      const auto expected = greedy_by_definition(model, source, prompt, 10, options);
      Ids whole(prefix.begin(), prefix.end());
      whole.insert(whole.end(), expected.ids.begin(), expected.ids.end());
      EXPECT_EQ(results[static_cast<size_t>(i)][0].ids, whole) << "input " << i;
      EXPECT_EQ(results[static_cast<size_t>(i)][0].token_log_probs.size(), expected.ids.size());
    }
  }
}

TEST(Greedy, StreamsTokensAndCanBeStopped) {
  const ToyGenerator model(25, random_logits(3, {0}));
  std::map<int, Ids> streamed;
  std::vector<int> finished;
  Stream stream;
  stream.on_token = [&](int input, int sample, int32_t id, float log_prob) {
    EXPECT_EQ(sample, 0);
    EXPECT_LE(log_prob, 0);
    streamed[input].push_back(id);
    return !(input == 2 && streamed[2].size() == 2);
  };
  stream.on_finished = [&](int input, const auto&) { finished.push_back(input); };
  Options options = greedy_options();
  options.min_new_tokens = 4;
  const auto results = decode_batch(model, heed::testing::toy_inputs(4, 1), options, {}, stream);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(results[static_cast<size_t>(i)][0].ids, streamed[i]);
  EXPECT_EQ(streamed[2].size(), 2u);
  EXPECT_FALSE(results[2][0].finished);
  EXPECT_EQ(finished.size(), 4u);
  EXPECT_EQ(finished[0], 2);
}

TEST(Greedy, LogitsThatAreNotNumbers) {
  const ToyGenerator model(5, [](auto, auto ids, std::span<float> out) {
    std::fill(out.begin(), out.end(), ids.size() == 3 ? std::numeric_limits<float>::quiet_NaN() : 1.0f);
    out[0] = std::min(out[0], out[1] - 1);
  });
  for (const bool scores : {false, true}) {
    Options options = greedy_options();
    options.scores = options.token_log_probs = scores;
    EXPECT_THROW(decode_batch(model, heed::testing::ragged({{1}}), options), Error);
  }
}

TEST(Greedy, NothingPossibleEndsTheOutput) {
  const ToyGenerator model(4, random_logits(1, {}));
  Options options = greedy_options();
  options.suppress_tokens = {0, 1, 2, 3};
  const auto results = decode_batch(model, heed::testing::ragged({{1}}), options);
  EXPECT_TRUE(results[0][0].ids.empty());
  EXPECT_FALSE(results[0][0].finished);
}

TEST(Sampling, ARowsDrawsDoNotDependOnItsBatch) {
  const ToyGenerator model(40, random_logits(8, {0}));
  const Ragged inputs = heed::testing::toy_inputs(64, 5);
  Options options = sampling_options(3);
  options.temperature = 0.9f;
  options.top_p = 0.95;
  std::vector<uint64_t> numbers(64);
  std::iota(numbers.begin(), numbers.end(), 1000);
  const auto all = decode_batch(model, inputs, options, numbers);
  for (const int size : {1, 7})
    for (int begin = 0; begin < 64; begin += size) {
      const int count = std::min(size, 64 - begin);
      const auto part =
          decode_batch(model, heed::testing::slice(inputs, begin, count), options,
                       std::span(numbers).subspan(static_cast<size_t>(begin), static_cast<size_t>(count)));
      for (int i = 0; i < count; ++i)
        expect_same(part[static_cast<size_t>(i)], all[static_cast<size_t>(begin + i)],
                    "in batches of " + std::to_string(size));
    }
  EXPECT_NE(all[0][0].ids, all[0][1].ids);
  options.seed = 6;
  EXPECT_NE(decode_batch(model, inputs, options, numbers)[0][0].ids, all[0][0].ids);
  // The first sample does not depend on how many are drawn.
  options.seed = 5;
  options.n_best = 1;
  EXPECT_EQ(decode_batch(model, inputs, options, numbers)[7][0].ids, all[7][0].ids);
}

// First tokens and, given the most frequent one, second tokens against their processed distributions.
TEST(Sampling, Frequencies) {
  const ToyGenerator model(12, random_logits(4, {}));
  Options options = sampling_options(40000);
  options.eos.clear();
  options.token_log_probs = false;
  options.max_new_tokens = 2;
  options.temperature = 1.3f;
  options.top_k = 8;
  options.target_prefix = heed::testing::ragged({{3, 4}});
  const Ids input{2};
  const auto samples = decode_batch(model, heed::testing::ragged({input}), options)[0];
  ASSERT_EQ(samples.size(), 40000u);
  const Processors processors(options);
  const auto expect_frequencies = [&](const Ids& ids, const std::map<int32_t, int>& counts, int total) {
    std::vector<float> logits(12);
    Scratch scratch;
    model.logits(input, ids, logits);
    processors.apply({ids, static_cast<int64_t>(ids.size()), 3, 100}, logits, scratch);
    double sum = 0;
    for (const float x : logits) sum += std::exp(x);
    for (int32_t v = 0; v < 12; ++v) {
      const double p = std::exp(logits[static_cast<size_t>(v)]) / sum;
      const auto found = counts.find(v);
      // Four standard deviations.
      EXPECT_NEAR(found == counts.end() ? 0 : found->second, total * p, 4 * std::sqrt(total * p * (1 - p)) + 1e-9);
    }
  };
  std::map<int32_t, int> first, second;
  for (const auto& s : samples) ++first[s.ids[2]];
  const int32_t top =
      std::max_element(first.begin(), first.end(), [](auto& a, auto& b) { return a.second < b.second; })->first;
  for (const auto& s : samples)
    if (s.ids[2] == top) ++second[s.ids[3]];
  expect_frequencies({ToyGenerator::kStart, 3, 4}, first, 40000);
  expect_frequencies({ToyGenerator::kStart, 3, 4, top}, second, first[top]);
}

TEST(Sampling, SamplesShareTheirPromptsRow) {
  const ToyGenerator model(30, random_logits(4, {0}));
  Options options = sampling_options(5);
  options.ignore_eos = true;
  options.max_new_tokens = 3;
  options.target_prefix = heed::testing::ragged({{3, 4}, {}});
  const auto results = decode_batch(model, heed::testing::ragged({{2}, {5}}), options);
  EXPECT_THAT(model.log.rows, ElementsAre(2, 6, 6, 5, 5));
  for (const auto& samples : results)
    for (const auto& s : samples) EXPECT_EQ(s.token_log_probs.size(), 3u);
}

// The scores are the model's own, whatever the filters did.
TEST(Sampling, LogProbabilitiesAreTheModels) {
  const ToyGenerator model(30, random_logits(4, {0}));
  Options options = sampling_options(4);
  options.temperature = 3;
  options.top_k = 5;
  const Ids input{2};
  const auto results = decode_batch(model, heed::testing::ragged({input}), options);
  for (const Hypothesis& sample : results[0]) {
    Ids ids{ToyGenerator::kStart};
    for (size_t t = 0; t < sample.ids.size(); ++t) {
      std::vector<float> logits(30);
      model.logits(input, ids, logits);
      double total = 0;
      for (const float x : logits) total += std::exp(double{x});
      EXPECT_NEAR(sample.token_log_probs[t], logits[static_cast<size_t>(sample.ids[t])] - std::log(total), 1e-4);
      ids.push_back(sample.ids[t]);
    }
  }
}

}  // namespace
}  // namespace heed::decode
