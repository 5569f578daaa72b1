// The searches that go on by themselves, here on the CPU's backend, against those that the host follows step by step.
#include "heed/decode/device_search.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <numeric>

#include "heed/base/error.h"
#include "heed/decode/beam_search.h"
#include "heed/decode/greedy_and_sampling.h"
#include "toy_generator.h"

namespace heed::decode {
namespace {

using heed::testing::expect_same;
using heed::testing::Ids;
using heed::testing::random_logits;
using heed::testing::ToyGenerator;

using Results = std::vector<std::vector<Hypothesis>>;

struct Task {
  const ToyGenerator& model;
  Ragged inputs;
  Options options;
};

Options options_with(const std::function<void(Options&)>& change) {
  Options options;
  options.eos = {0};
  options.max_new_tokens = 30;
  options.token_log_probs = true;
  change(options);
  if (options.beam > 1) options.n_best = options.beam;
  return options;
}

std::vector<uint64_t> numbered(const Ragged& inputs) {
  std::vector<uint64_t> numbers(static_cast<size_t>(inputs.rows()));
  std::iota(numbers.begin(), numbers.end(), 100);
  return numbers;
}

Results by_the_host(const Task& t) {
  const std::vector<Prompt> prompts = make_prompts(t.model, t.inputs, t.options);
  const auto state = t.model.start(t.inputs);
  const std::vector<uint64_t> examples = numbered(t.inputs);
  return t.options.beam > 1 ? beam_search(*state, prompts, t.options, {})
                            : greedy_or_sample(*state, prompts, t.options, examples, {});
}

Results by_themselves(const Task& t, const Stream& stream = {}) {
  const std::vector<Prompt> prompts = make_prompts(t.model, t.inputs, t.options);
  EXPECT_TRUE(searches_on_device(prompts, t.options, stream));
  const auto state = t.model.start(t.inputs);
  const std::vector<uint64_t> examples = numbered(t.inputs);
  return search_on_device(*state, prompts, t.options, examples, stream);
}

void expect_alike(const Task& t, const std::string& what) {
  const Results expected = by_the_host(t), found = by_themselves(t);
  ASSERT_EQ(found.size(), expected.size()) << what;
  for (size_t i = 0; i < found.size(); ++i) expect_same(found[i], expected[i], what + ", input " + std::to_string(i));
}

TEST(DeviceSearch, BeamsAreThoseOfTheHost) {
  const ToyGenerator model(50, random_logits(1, {0, 7}));
  const Ragged inputs = heed::testing::toy_inputs(12, 1);
  for (const int beam : {2, 4, 5})
    for (const auto early : {EarlyStopping::kFalse, EarlyStopping::kTrue, EarlyStopping::kNever})
      for (const double penalty : {-1.0, 0.0, 0.6, 2.0})
        expect_alike({model, inputs, options_with([&](Options& o) {
                        o.beam = beam;
                        o.early_stopping = early;
                        o.length_penalty = penalty;
                        if (beam == 5) o.eos = {0, 7};
                        if (beam == 4) o.length_normalisation = LengthNormalisation::kGnmt;
                      })},
                     fmt::format("beam {}, stopping {}, penalty {}", beam, static_cast<int>(early), penalty));
}

TEST(DeviceSearch, GreedyIsThatOfTheHost) {
  const ToyGenerator model(50, random_logits(2, {0}));
  const Ragged inputs = heed::testing::toy_inputs(20, 2);
  expect_alike({model, inputs, options_with([](Options&) {})}, "greedy");
  expect_alike({model, inputs, options_with([](Options& o) { o.length_penalty = 0.5; })}, "greedy with a penalty");
  expect_alike({model, inputs, options_with([](Options& o) { o.scores = o.token_log_probs = false; })}, "no scores");
  expect_alike({model, inputs, options_with([](Options& o) { o.ignore_eos = true; })}, "end tokens that end nothing");
}

TEST(DeviceSearch, SamplesAreThoseOfTheHost) {
  const ToyGenerator model(200, random_logits(3, {0}));
  const Ragged inputs = heed::testing::toy_inputs(10, 3);
  const auto sampling = [&](const std::string& what, const std::function<void(Options&)>& change) {
    expect_alike({model, inputs, options_with([&](Options& o) {
                    o.do_sample = true;
                    o.seed = 5;
                    o.n_best = 3;
                    change(o);
                  })},
                 what);
  };
  sampling("top-k as it is", [](Options&) {});
  sampling("top-k of 5", [](Options& o) { o.top_k = 5; });
  sampling("hot", [](Options& o) { o.temperature = 1.7f; });
  sampling("top-p", [](Options& o) { o.top_p = 0.6; });
  sampling("top-p of nothing", [](Options& o) { o.top_p = 0; });
  sampling("min-p", [](Options& o) { o.min_p = 0.2; });
  sampling("all filters", [](Options& o) {
    o.temperature = 0.8f;
    o.top_k = 20;
    o.top_p = 0.9;
    o.min_p = 0.05;
    o.suppress_tokens = {3, 4};
    o.min_new_tokens = 5;
  });
}

// How outputs are chosen: by beams, the likeliest token, or samples.
struct Way {
  const char* name;
  int beam;
  bool samples;
};
constexpr Way kWays[] = {{"greedy", 1, false}, {"beams", 3, false}, {"samples", 1, true}};

Options options_by(const Way& way, const std::function<void(Options&)>& change) {
  return options_with([&](Options& o) {
    o.beam = way.beam;
    o.do_sample = way.samples;
    if (way.samples) o.n_best = 2;
    change(o);
  });
}

TEST(DeviceSearch, KnowsWhatMustAndWhatMustNotCome) {
  const ToyGenerator model(40, random_logits(4, {0}));
  const Ragged inputs = heed::testing::toy_inputs(9, 4);
  for (const Way& way : kWays) {
    const auto with = [&](const std::string& what, const std::function<void(Options&)>& change) {
      expect_alike({model, inputs, options_by(way, change)}, fmt::format("{}, {}", what, way.name));
    };
    with("suppressed ids", [](Options& o) { o.suppress_tokens = {1, 5, 9, 30}; });
    with("bad words", [](Options& o) { o.bad_words_ids = {{8}, {9}}; });
    with("several end tokens", [](Options& o) { o.eos = {0, 3, 17}; });
    with("no early end", [](Options& o) { o.min_length = 12; });
    with("no early end of what is new", [](Options& o) { o.min_new_tokens = 9; });
    with("a first token", [](Options& o) { o.forced_bos = 6; });
    const auto last = [&](const std::string& what, const Ids& tokens, const Ids& suppressed) {
      with(what, [&](Options& o) {
        o.forced_eos = tokens;
        o.suppress_tokens = suppressed;
        o.max_new_tokens = 6;
      });
    };
    last("a last token", {0}, {});
    last("none of the last tokens", {11}, {11});
    if (!way.samples) last("one of several last tokens", {11, 3}, {});
  }
}

// A forced token comes even where the model gives it no probability.
TEST(DeviceSearch, AForcedTokenNeedsNoProbability) {
  const auto logits = [](std::span<const int32_t>, std::span<const int32_t>, std::span<float> out) {
    for (size_t i = 0; i < out.size(); ++i) out[i] = 0.1f * static_cast<float>(i);
    out[6] = -std::numeric_limits<float>::infinity();
  };
  const ToyGenerator model(20, logits);
  for (const Way& way : kWays) {
    const Task task{model, heed::testing::toy_inputs(2, 1), options_by(way, [](Options& o) {
                      o.forced_bos = 6;
                      o.forced_eos = {6};
                      o.max_new_tokens = 4;
                    })};
    const Results expected = by_the_host(task), found = by_themselves(task);
    for (size_t i = 0; i < found.size(); ++i)
      for (size_t s = 0; s < found[i].size(); ++s) EXPECT_EQ(found[i][s].ids, expected[i][s].ids) << way.name;
    EXPECT_EQ(found.at(0).at(0).ids.front(), 6) << way.name;
    EXPECT_EQ(found.at(0).at(0).ids.back(), 6) << way.name;
  }
}

// Whatever is left of a vocabulary that is smaller than what a step looks at.
TEST(DeviceSearch, SmallVocabularies) {
  for (const int vocab : {2, 3, 6})
    for (const Way& way : kWays) {
      const ToyGenerator model(vocab, random_logits(5, {0}));
      expect_alike({model, heed::testing::toy_inputs(5, 5), options_by(way, [](Options&) {})},
                   fmt::format("{} tokens, {}", vocab, way.name));
    }
}

// Prompts of different lengths reach the last position at different steps; none may be fed beyond it, done or not
// (ToyGenerator checks it).
TEST(DeviceSearch, EndsAtTheLastPosition) {
  const ToyGenerator model(30, random_logits(6, {0}), 9, true);
  const Ragged inputs = heed::testing::ragged({{3}, {4, 5, 6, 7, 8, 9, 3, 4, 5}, {6, 7, 8}, {2, 2, 2, 2, 2}});
  for (const Way& way : kWays)
    for (const bool ends : {true, false})
      expect_alike({model, inputs,
                    options_by(way,
                               [&](Options& o) {
                                 o.max_new_tokens = 0;
                                 o.continues_input = true;
                                 o.ignore_eos = !ends;
                               })},
                   fmt::format("{}, ends {}", way.name, ends));
}

TEST(DeviceSearch, LongOutputsGetMoreRoom) {
  const ToyGenerator model(30, random_logits(7, {}), 400);
  for (const int beam : {1, 4})
    expect_alike({model, heed::testing::toy_inputs(3, 7), options_with([&](Options& o) {
                    o.beam = beam;
                    o.eos.clear();
                    o.max_new_tokens = 300;
                  })},
                 fmt::format("beam {}", beam));
}

// As outputs end, their rows leave the batch.
TEST(DeviceSearch, TheBatchShrinks) {
  const ToyGenerator model(50, random_logits(8, {0}));
  for (const Way& way : kWays) {
    model.log.rows.clear();
    const Task task{model, heed::testing::toy_inputs(40, 8), options_by(way, [](Options&) {})};
    by_themselves(task);
    ASSERT_FALSE(model.log.rows.empty());
    EXPECT_EQ(model.log.rows.front(), 40 * way.beam * (way.samples ? 2 : 1)) << way.name;
    EXPECT_LE(model.log.rows.back() * 4, model.log.rows.front() * 3) << way.name;
    expect_alike(task, way.name);
  }
}

// The host looks after 1, 3 and 7 steps, then after every eighth.
TEST(DeviceSearch, EndsSoonAfterItsLastOutput) {
  for (const size_t tokens : {1, 2, 5, 8, 15, 16, 40}) {
    const auto ends = [&](std::span<const int32_t>, std::span<const int32_t> ids, std::span<float> out) {
      std::fill(out.begin(), out.end(), 0.0f);
      out[ids.size() == tokens ? 0 : 3] = 9;
    };
    const ToyGenerator model(20, ends);
    const auto found = by_themselves(
        {model, heed::testing::toy_inputs(3, 1), options_with([](Options& o) { o.max_new_tokens = 100; })});
    EXPECT_EQ(found[0][0].ids.size(), tokens);
    EXPECT_GE(model.log.rows.size(), tokens);
    EXPECT_LT(model.log.rows.size(), tokens + 8) << tokens;
    if (tokens == 1) {
      EXPECT_EQ(model.log.rows.size(), 1u);
    }
  }
}

TEST(DeviceSearch, TellsOfEachInputOnce) {
  const ToyGenerator model(50, random_logits(9, {0}));
  for (const bool samples : {false, true}) {
    std::vector<int> times(7);
    Stream stream;
    stream.on_finished = [&](int input, const std::vector<Hypothesis>& hypotheses) {
      ++times[static_cast<size_t>(input)];
      EXPECT_EQ(hypotheses.size(), 3u);
      for (const Hypothesis& h : hypotheses) EXPECT_FALSE(h.ids.empty());
    };
    const Options options = options_with([&](Options& o) {
      o.beam = samples ? 1 : 3;
      o.do_sample = samples;
      o.n_best = 3;
    });
    by_themselves({model, heed::testing::toy_inputs(7, 9), options}, stream);
    EXPECT_EQ(times, std::vector<int>(7, 1));
  }
}

TEST(DeviceSearch, LogitsThatAreNotNumbersAreAnError) {
  const auto logits = [](std::span<const int32_t>, std::span<const int32_t> ids, std::span<float> out) {
    std::fill(out.begin(), out.end(), ids.size() < 4 ? 1.0f : std::numeric_limits<float>::quiet_NaN());
  };
  const ToyGenerator model(20, logits);
  for (const int beam : {1, 2})
    EXPECT_THROW(by_themselves({model, heed::testing::toy_inputs(2, 1), options_with([&](Options& o) {
                                  o.beam = beam;
                                  o.eos = {19};  // the least likely of equals
                                })}),
                 Error);
}

TEST(DeviceSearch, LeavesTheRestToTheHost) {
  const ToyGenerator model(20, random_logits(1, {0}));
  const Ragged inputs = heed::testing::toy_inputs(2, 1);
  const auto knows = [&](const std::function<void(Options&)>& change, const Stream& stream = {}) {
    const Options options = options_with(change);
    return searches_on_device(make_prompts(model, inputs, options), options, stream);
  };
  EXPECT_TRUE(knows([](Options&) {}));
  EXPECT_FALSE(knows([](Options& o) { o.repetition_penalty = 1.2f; }));
  EXPECT_FALSE(knows([](Options& o) { o.no_repeat_ngram_size = 3; }));
  EXPECT_FALSE(knows([](Options& o) { o.bad_words_ids = {{1, 2}}; }));
  EXPECT_FALSE(knows([](Options& o) { o.target_prefix.append(Ids{1}); }));
  EXPECT_FALSE(knows([](Options& o) { o.beam = 40; }));
  const auto sampling = [&](const std::function<void(Options&)>& change) {
    return knows([&](Options& o) {
      o.do_sample = true;
      change(o);
    });
  };
  EXPECT_TRUE(sampling([](Options&) {}));
  EXPECT_FALSE(sampling([](Options& o) { o.top_k = 0; }));
  EXPECT_FALSE(sampling([](Options& o) { o.top_k = 100; }));
  EXPECT_FALSE(sampling([](Options& o) { o.typical_p = 0.5; }));
  EXPECT_FALSE(sampling([](Options& o) { o.forced_eos = {1, 2}; }));
  Stream stream;
  stream.on_token = [](int, int, int32_t, float) { return true; };
  EXPECT_FALSE(knows([](Options&) {}, stream));
}

}  // namespace
}  // namespace heed::decode
