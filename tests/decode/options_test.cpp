#include "heed/decode/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "heed/base/error.h"

namespace heed::decode {
namespace {

TEST(Options, DefaultsAreValid) { EXPECT_NO_THROW(validate(Options{})); }

TEST(Options, EachErrorNamesItsOption) {
  const std::vector<std::pair<std::string, std::function<void(Options&)>>> cases{
      {"beam", [](Options& o) { o.beam = 0; }},
      {"n_best", [](Options& o) { o.n_best = 0; }},
      {"n_best", [](Options& o) { o.n_best = 3, o.beam = 2; }},
      {"n_best", [](Options& o) { o.n_best = 2; }},
      {"do_sample", [](Options& o) { o.do_sample = true, o.beam = 2; }},
      {"length_penalty", [](Options& o) { o.length_penalty = std::nan(""); }},
      {"token_log_probs", [](Options& o) { o.token_log_probs = true, o.scores = false; }},
      {"max_new_tokens", [](Options& o) { o.max_new_tokens = -1; }},
      {"max_length", [](Options& o) { o.max_length = -1; }},
      {"min_new_tokens", [](Options& o) { o.min_new_tokens = -1; }},
      {"min_new_tokens", [](Options& o) { o.min_new_tokens = 5, o.max_new_tokens = 4; }},
      {"min_length", [](Options& o) { o.min_length = -2; }},
      {"min_length", [](Options& o) { o.min_length = 5, o.max_length = 4; }},
      {"temperature", [](Options& o) { o.temperature = 0; }},
      {"temperature", [](Options& o) { o.temperature = std::numeric_limits<float>::quiet_NaN(); }},
      {"top_k", [](Options& o) { o.top_k = -1; }},
      {"top_p", [](Options& o) { o.top_p = 1.5; }},
      {"min_p", [](Options& o) { o.min_p = -0.1; }},
      {"typical_p", [](Options& o) { o.typical_p = 0; }},
      {"repetition_penalty", [](Options& o) { o.repetition_penalty = 0; }},
      {"no_repeat_ngram_size", [](Options& o) { o.no_repeat_ngram_size = -1; }},
      {"bad_words_ids", [](Options& o) { o.bad_words_ids = {{}}; }},
      {"bad_words_ids",
       [](Options& o) {
         o.bad_words_ids = {{3, 100}};
       }},
      {"suppress_tokens", [](Options& o) { o.suppress_tokens = {-1}; }},
      {"forced_bos", [](Options& o) { o.forced_bos = 100; }},
      {"forced_eos", [](Options& o) { o.forced_eos = {100}; }},
      {"eos",
       [](Options& o) {
         o.eos = {2, 100};
       }},
      {"target_prefix", [](Options& o) { o.target_prefix.append(std::vector<int32_t>{100}); }},
  };
  for (const auto& [name, spoil] : cases) {
    Options options;
    spoil(options);
    try {
      validate(options, 100);
      ADD_FAILURE() << name << " was accepted";
    } catch (const UsageError& error) {
      EXPECT_THAT(error.what(), ::testing::StartsWith(name + ": "));
    }
  }
}

TEST(Options, IdsAreHeldAgainstTheVocabularyOnlyWhereKnown) {
  Options options;
  options.eos = {99};
  EXPECT_NO_THROW(validate(options));
  EXPECT_NO_THROW(validate(options, 100));
  EXPECT_THROW(validate(options, 99), UsageError);
}

TEST(Options, EndTokens) {
  Options options;
  options.eos = {7, 2, 7};
  EXPECT_THAT(effective_eos(options), ::testing::ElementsAre(2, 7));
  options.ignore_eos = true;
  EXPECT_TRUE(effective_eos(options).empty());
}

TEST(Options, LengthDivisor) {
  Options options;
  EXPECT_EQ(length_divisor(options, 7), 7);
  options.length_penalty = 0;
  EXPECT_EQ(length_divisor(options, 7), 1);
  options.length_penalty = 0.6;
  EXPECT_FLOAT_EQ(length_divisor(options, 7), 3.2140958f);  // 7^0.6
  options.length_normalisation = LengthNormalisation::kGnmt;
  EXPECT_FLOAT_EQ(length_divisor(options, 7), 1.5157166f);  // 2^0.6
  EXPECT_EQ(length_divisor(options, 1), 1);
}

}  // namespace
}  // namespace heed::decode
