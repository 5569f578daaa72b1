#include "heed/decode/processors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <map>

#include "heed/base/files.h"
#include "heed/base/json.h"
#include "shared_files.h"

namespace heed::decode {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using Ids = std::vector<int32_t>;

constexpr float kNever = -std::numeric_limits<float>::infinity();

// The tensors of a small safetensors file: eight bytes of header length, the header, the data.
class Goldens {
 public:
  explicit Goldens(const std::filesystem::path& file) : bytes_(read_file(file)) {
    uint64_t length = 0;
    std::memcpy(&length, bytes_.data(), sizeof length);
    header_ = parse_json(std::string_view(bytes_).substr(8, length), file.string());
    data_ = 8 + length;
  }
  template <class T>
  std::vector<T> tensor(const std::string& name) const {
    const auto begin = header_.at(name).at("data_offsets").at(0).get<size_t>();
    const auto end = header_.at(name).at("data_offsets").at(1).get<size_t>();
    std::vector<T> values((end - begin) / sizeof(T));
    std::memcpy(values.data(), bytes_.data() + data_ + begin, end - begin);
    return values;
  }
  std::vector<std::string> outputs() const {
    std::vector<std::string> names;
    for (const auto& [name, value] : header_.items())
      if (name.starts_with("out.")) names.push_back(name);
    return names;
  }

 private:
  std::string bytes_;
  Json header_;
  size_t data_ = 0;
};

Options sampling() {
  Options options;
  options.do_sample = true;
  options.top_k = 0;
  return options;
}

// Each recorded case by its name, run both through its function and through Processors.
TEST(Processors, Goldens) {
  HEED_NEEDS_SHARED("goldens/logits");
  const Goldens goldens(heed::testing::shared_path("goldens/logits") / "golden.safetensors");
  const auto logits = goldens.tensor<float>("in.logits");
  const auto previous = goldens.tensor<int64_t>("in.previous_ids");
  constexpr size_t kRows = 6, kVocab = 50, kLength = 12;
  ASSERT_EQ(logits.size(), kRows * kVocab);
  ASSERT_EQ(previous.size(), kRows * kLength);
  std::map<std::string, Options> cases;
  (cases["out.temperature_0.7"] = sampling()).temperature = 0.7f;
  (cases["out.top_k_5"] = sampling()).top_k = 5;
  (cases["out.top_p_0.8"] = sampling()).top_p = 0.8;
  (cases["out.min_p_0.1"] = sampling()).min_p = 0.1;
  (cases["out.typical_p_0.9"] = sampling()).typical_p = 0.9;
  cases["out.repetition_1.3"].repetition_penalty = 1.3f;
  cases["out.no_repeat_2"].no_repeat_ngram_size = 2;
  EXPECT_EQ(goldens.outputs().size(), cases.size());
  for (const std::string& name : goldens.outputs()) {
    ASSERT_TRUE(cases.contains(name)) << name << " has no case here";
    const Processors processors(cases[name]);
    const auto expected = goldens.tensor<float>(name);
    Scratch scratch;
    for (size_t row = 0; row < kRows; ++row) {
      std::vector<float> x(logits.begin() + row * kVocab, logits.begin() + (row + 1) * kVocab);
      const Ids ids(previous.begin() + row * kLength, previous.begin() + (row + 1) * kLength);
      processors.apply({ids, kLength, 1, 100}, x, scratch);
      for (size_t i = 0; i < kVocab; ++i) {
        const float want = expected[row * kVocab + i];
        if (std::isinf(want)) EXPECT_EQ(x[i], want) << name << " row " << row << " id " << i;
        else EXPECT_NEAR(x[i], want, 1e-6f * (1 + std::abs(want))) << name << " row " << row << " id " << i;
      }
    }
  }
}

TEST(Processors, NgramsAreBannedByTheirBeginning) {
  Ids banned;
  ban_repeated_ngrams(Ids{5, 6, 7, 5, 6}, 3, banned);
  EXPECT_THAT(banned, ElementsAre(7));
  banned.clear();
  ban_repeated_ngrams(Ids{5, 6, 7, 5, 6}, 1, banned);
  EXPECT_THAT(banned, ElementsAre(5, 6, 7, 5, 6));
  banned.clear();
  ban_repeated_ngrams(Ids{5, 5}, 2, banned);
  EXPECT_THAT(banned, ElementsAre(5));
  banned.clear();
  ban_repeated_ngrams(Ids{5}, 2, banned);
  ban_repeated_ngrams(Ids{}, 1, banned);
  EXPECT_THAT(banned, IsEmpty());
}

TEST(Processors, BadWordsAreBannedByTheirLastId) {
  const std::vector<Ids> words{{4}, {1, 2}, {9, 1, 3}, {8, 8, 8, 8, 5}};
  Ids banned;
  ban_bad_words(Ids{9, 1}, words, banned);
  EXPECT_THAT(banned, UnorderedElementsAre(4, 2, 3));
}

TEST(Processors, RepetitionIsPenalisedOncePerId) {
  std::vector<float> logits{2, -2, 3, 0};
  Scratch scratch;
  penalise_repetition(Ids{0, 0, 1, 1, 7, -1, 3}, 2, logits, scratch);
  EXPECT_THAT(logits, ElementsAre(1, -4, 3, 0));
}

TEST(Processors, TopKKeepsTies) {
  std::vector<float> logits{1, 3, 2, 2, 0};
  Scratch scratch;
  keep_top_k(2, logits, scratch);
  EXPECT_THAT(logits, ElementsAre(kNever, 3, 2, 2, kNever));
  keep_top_k(10, logits, scratch);
  EXPECT_THAT(logits, ElementsAre(kNever, 3, 2, 2, kNever));
}

TEST(Processors, TopPKeepsTheLeastSetThatReachesP) {
  const std::vector<float> probabilities{0.1f, 0.5f, 0.15f, 0.25f};
  const auto kept = [&](double p) {
    std::vector<float> logits;
    for (const float x : probabilities) logits.push_back(std::log(x));
    Scratch scratch;
    keep_top_p(p, logits, scratch);
    Ids ids;
    for (size_t i = 0; i < logits.size(); ++i)
      if (logits[i] > kNever) ids.push_back(static_cast<int32_t>(i));
    return ids;
  };
  EXPECT_THAT(kept(0), ElementsAre(1));
  EXPECT_THAT(kept(0.45), ElementsAre(1));
  EXPECT_THAT(kept(0.55), ElementsAre(1, 3));
  EXPECT_THAT(kept(0.8), ElementsAre(1, 2, 3));
  EXPECT_THAT(kept(0.95), ElementsAre(0, 1, 2, 3));
}

TEST(Processors, FiltersLeaveRemovedIdsRemovedAndKeepOne) {
  const std::vector<float> start{kNever, 1, kNever, 5, 4.9f};
  Scratch scratch;
  for (const auto& filter : std::vector<std::function<void(std::span<float>)>>{
           [&](std::span<float> x) { keep_top_p(1e-9, x, scratch); }, [&](std::span<float> x) { keep_min_p(1, x); },
           [&](std::span<float> x) { keep_typical(1e-9, x, scratch); },
           [&](std::span<float> x) { keep_top_k(1, x, scratch); }}) {
    std::vector<float> logits = start;
    filter(logits);
    EXPECT_EQ(logits[0], kNever);
    EXPECT_EQ(logits[2], kNever);
    EXPECT_EQ(std::count_if(logits.begin(), logits.end(), [](float x) { return x > kNever; }), 1);
  }
}

TEST(Processors, TypicalKeepsTies) {
  std::vector<float> logits{0, 0, -30, 0, 0};
  Scratch scratch;
  keep_typical(0.3, logits, scratch);
  EXPECT_THAT(logits, ElementsAre(0, 0, kNever, 0, 0));
}

TEST(Processors, EndTokensWaitForTheLeastLength) {
  Options options;
  options.eos = {2, 3};
  options.min_new_tokens = 2;
  Ids banned;
  Processors(options).ban({{}, 5, 4, 100}, banned);
  EXPECT_THAT(banned, ElementsAre(2, 3));
  Processors(options).ban({{}, 6, 4, 100}, banned);
  EXPECT_THAT(banned, IsEmpty());
  options.min_new_tokens = 0;
  options.min_length = 6;
  Processors(options).ban({{}, 5, 4, 100}, banned);
  EXPECT_THAT(banned, ElementsAre(2, 3));
  options.ignore_eos = true;
  Processors(options).ban({{}, 5, 4, 100}, banned);
  EXPECT_THAT(banned, IsEmpty());
}

TEST(Processors, AnEndTokenIsNoBadWordButCanBeSuppressed) {
  Options options;
  options.eos = {2};
  options.bad_words_ids = {{2}, {7}, {7}, {5, 2}};
  Ids banned;
  const Ids ids{1, 5};
  Processors(options).ban({ids, 2, 1, 100}, banned);
  EXPECT_THAT(banned, ElementsAre(7, 2));  // 2 only because it completes {5, 2}
  options.suppress_tokens = {2};
  const Ids other{1, 1};
  Processors(options).ban({other, 2, 1, 100}, banned);
  EXPECT_THAT(banned, ElementsAre(2, 7));
}

TEST(Processors, ForcedTokens) {
  Options options;
  options.forced_bos = 4;
  options.forced_eos = {3, 2, 3};
  const Processors processors(options);
  Ids ids;
  EXPECT_TRUE(processors.force({{}, 1, 1, 10}, ids));
  EXPECT_THAT(ids, ElementsAre(4));
  EXPECT_FALSE(processors.force({{}, 2, 2, 10}, ids));
  EXPECT_TRUE(processors.force({{}, 9, 2, 10}, ids));
  EXPECT_THAT(ids, ElementsAre(2, 3));
  EXPECT_TRUE(processors.force({{}, 1, 1, 2}, ids));  // both at once: the end goes first
  EXPECT_THAT(ids, ElementsAre(2, 3));
  options.suppress_tokens = {4};
  EXPECT_TRUE(Processors(options).force({{}, 1, 1, 10}, ids));
  EXPECT_THAT(ids, IsEmpty());
}

TEST(Processors, ForcedTokensReplaceLogitsAndBans) {
  Options options;
  options.forced_bos = 1;
  options.bad_words_ids = {{1}};
  options.repetition_penalty = 2;
  std::vector<float> logits{5, -3, 2};
  Scratch scratch;
  const Ids ids{0};
  Processors(options).apply({ids, 1, 1, 10}, logits, scratch);
  EXPECT_THAT(logits, ElementsAre(kNever, 0, kNever));
}

TEST(Processors, OrderIsPenaltyThenBansThenFilters) {
  Options options = sampling();
  options.repetition_penalty = 4;
  options.suppress_tokens = {1};
  options.temperature = 0.5f;
  options.top_k = 1;
  std::vector<float> logits{4, 9, 2, 1.5f};  // 0 is penalised to 1, 1 is suppressed: 2 is left
  Scratch scratch;
  const Ids ids{0};
  Processors(options).apply({ids, 1, 1, 10}, logits, scratch);
  EXPECT_THAT(logits, ElementsAre(kNever, kNever, 4, kNever));
}

TEST(Processors, ReadsIdsOnlyWhereNeeded) {
  Options options;
  options.bad_words_ids = {{3}};
  EXPECT_FALSE(Processors(options).reads_ids());
  options.bad_words_ids = {{3, 4}};
  EXPECT_TRUE(Processors(options).reads_ids());
  options = {};
  options.no_repeat_ngram_size = 3;
  EXPECT_TRUE(Processors(options).reads_ids());
  options = {};
  options.repetition_penalty = 1.1f;
  EXPECT_TRUE(Processors(options).reads_ids());
  EXPECT_TRUE(Processors(options).changes_logits());
}

}  // namespace
}  // namespace heed::decode
