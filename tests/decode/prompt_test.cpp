#include "heed/decode/prompt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "heed/base/error.h"
#include "toy_generator.h"

namespace heed::decode {
namespace {

using heed::testing::Ids;
using heed::testing::ragged;
using heed::testing::ToyGenerator;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

ToyGenerator generator(int positions, bool decoder_only = false) {
  return {20, heed::testing::random_logits(1, {}), positions, decoder_only};
}

TEST(Prompt, StartTokenAndPrefix) {
  Options options;
  options.target_prefix = ragged({{7}, {}, {8, 9}});
  const auto prompts = make_prompts(generator(10), ragged({{1}, {2}, {3}}), options);
  ASSERT_EQ(prompts.size(), 3u);
  EXPECT_THAT(prompts[0].ids, ElementsAre(ToyGenerator::kStart, 7));
  EXPECT_THAT(prompts[1].ids, ElementsAre(ToyGenerator::kStart));
  EXPECT_THAT(prompts[1].prefix(), IsEmpty());
  EXPECT_THAT(prompts[2].fed(), ElementsAre(ToyGenerator::kStart, 8, 9));
  EXPECT_THAT(prompts[2].prefix(), ElementsAre(8, 9));
  EXPECT_EQ(prompts[2].max_length, 11);  // ten tokens are fed, the eleventh is not
}

TEST(Prompt, OnePrefixForAll) {
  Options options;
  options.target_prefix = ragged({{7}});
  for (const Prompt& p : make_prompts(generator(10), ragged({{1}, {2}, {3}}), options))
    EXPECT_THAT(p.prefix(), ElementsAre(7));
  options.target_prefix = ragged({{7}, {8}});
  EXPECT_THROW(make_prompts(generator(10), ragged({{1}, {2}, {3}}), options), UsageError);
}

TEST(Prompt, InputsThatAreContinued) {
  Options options;
  options.continues_input = true;
  options.target_prefix = ragged({{7}});
  options.max_new_tokens = 3;
  const auto prompts = make_prompts(generator(10, true), ragged({{4, 5}, {6}}), options);
  EXPECT_THAT(prompts[0].ids, ElementsAre(4, 5, 7));
  EXPECT_THAT(prompts[0].fed(), ElementsAre(5, 7));
  EXPECT_EQ(prompts[0].max_length, 6);
  EXPECT_EQ(prompts[1].max_length, 5);
  EXPECT_THROW(make_prompts(generator(10, false), ragged({{4}, {}}), options), UsageError);
}

TEST(Prompt, Limits) {
  const Ragged inputs = ragged({{1}});
  Options options;
  options.max_length = 5;
  EXPECT_EQ(make_prompts(generator(10), inputs, options)[0].max_length, 5);
  options.max_new_tokens = 7;  // goes first
  EXPECT_EQ(make_prompts(generator(10), inputs, options)[0].max_length, 8);
  EXPECT_EQ(make_prompts(generator(4), inputs, options)[0].max_length, 5);
  options = {};
  EXPECT_THROW(make_prompts(generator(std::numeric_limits<int>::max()), inputs, options), UsageError);
  options.max_length = 1;
  EXPECT_THROW(make_prompts(generator(10), inputs, options), UsageError);
}

}  // namespace
}  // namespace heed::decode
