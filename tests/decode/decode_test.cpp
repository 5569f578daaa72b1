#include "heed/decode/decode.h"

#include <gtest/gtest.h>

#include <thread>

#include "heed/base/error.h"
#include "toy_generator.h"

namespace heed::decode {
namespace {

using heed::testing::expect_same;
using heed::testing::random_logits;
using heed::testing::ToyGenerator;

Options options_for(int beam) {
  Options options;
  options.beam = beam;
  options.eos = {0};
  options.max_new_tokens = 12;
  return options;
}

TEST(DecodeBatch, NoInputs) {
  const ToyGenerator model(20, random_logits(1, {0}));
  EXPECT_TRUE(decode_batch(model, {}, options_for(1)).empty());
  EXPECT_TRUE(decode_batch(model, {}, options_for(4)).empty());
}

TEST(DecodeBatch, RefusesWhatDoesNotFit) {
  const ToyGenerator model(20, random_logits(1, {0}));
  const Ragged inputs = heed::testing::toy_inputs(2, 1);
  Options options = options_for(4);
  options.eos = {20};
  EXPECT_THROW(decode_batch(model, inputs, options), UsageError);
  const std::vector<uint64_t> numbers{1};
  EXPECT_THROW(decode_batch(model, inputs, options_for(1), numbers), UsageError);
}

TEST(DecodeBatch, NBestOfTheBeam) {
  const ToyGenerator model(20, random_logits(1, {0}));
  const Ragged inputs = heed::testing::toy_inputs(6, 1);
  Options options = options_for(5);
  options.n_best = 5;
  const auto five = decode_batch(model, inputs, options);
  options.n_best = 2;
  const auto two = decode_batch(model, inputs, options);
  for (size_t i = 0; i < five.size(); ++i) expect_same({five[i].begin(), five[i].begin() + 2}, two[i], "input");
}

// No output may be fed beyond the decoder's positions (ToyGenerator checks it).
TEST(DecodeBatch, EndsAtTheLastPosition) {
  const ToyGenerator model(20, random_logits(1, {}), 7);
  for (const int beam : {1, 3}) {
    Options options = options_for(beam);
    options.eos.clear();
    options.max_new_tokens = 0;
    const auto results = decode_batch(model, heed::testing::toy_inputs(2, 1), options);
    EXPECT_EQ(results[0][0].ids.size(), 7u);
    EXPECT_FALSE(results[0][0].finished);
  }
}

TEST(DecodeBatch, ManyThreadsShareAGenerator) {
  const Ragged inputs = heed::testing::toy_inputs(8, 1);
  for (const int beam : {1, 4}) {
    const ToyGenerator model(20, random_logits(1, {0}));
    const auto expected = decode_batch(model, inputs, options_for(beam));
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&, beam] {
        for (int n = 0; n < 5; ++n) {
          const auto found = decode_batch(model, inputs, options_for(beam));
          for (size_t i = 0; i < found.size(); ++i) expect_same(found[i], expected[i], "thread");
        }
      });
    for (auto& thread : threads) thread.join();
  }
}

}  // namespace
}  // namespace heed::decode
