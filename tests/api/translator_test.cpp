// Translating and scoring through the public surface: against recorded translations, what each option does, and one
// model in many threads.
#include "heed/translator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <numeric>
#include <thread>

#include "api/sentences.h"
#include "shared_files.h"

namespace heed {
namespace {

using testing::first_lines;
using testing::shared_path;

class TranslatorTest : public ::testing::Test {
 protected:
  static constexpr const char* kModel = "models/marian-multi30k-en-de";

  void SetUp() override {
    HEED_NEEDS_SHARED(kModel);
    HEED_NEEDS_SHARED("data/multi30k");
    translator_.emplace(shared_path(kModel));
    sentences_ = first_lines(shared_path("data/multi30k/test_2016_flickr.en.gz"), 40);
  }
  std::vector<std::string> recorded(const std::string& name) const {
    return first_lines(shared_path(kModel) / ("test_2016_flickr." + name + ".hyp.de"), sentences_.size());
  }
  static TranslateOptions beam(int width) {
    TranslateOptions o;
    o.beam = width;
    o.max_new_tokens = 80;
    return o;
  }

  std::optional<Translator> translator_;
  std::vector<std::string> sentences_;
};

TEST_F(TranslatorTest, TranslatesAsRecorded) {
  EXPECT_EQ(translator_->translate_batch(sentences_, beam(1)), recorded("beam1"));
  EXPECT_EQ(translator_->translate_batch(sentences_, beam(5)), recorded("beam5"));
  EXPECT_EQ(translator_->translate(sentences_[0], beam(5)), recorded("beam5")[0]);
}

TEST_F(TranslatorTest, ServesManyThreads) {
  TranslateOptions five = beam(5), sampled;
  five.n_best = 2;
  five.token_log_probs = true;
  sampled.sample = true;
  sampled.seed = 3;
  sampled.max_new_tokens = 40;
  const auto expected = translator_->n_best(sentences_, five);
  const auto expected_samples = translator_->n_best(sentences_, sampled);
  const auto hypotheses = recorded("beam1");
  const auto expected_scores = translator_->score(sentences_, hypotheses);

  constexpr size_t kThreads = 6;
  std::vector<std::vector<std::vector<Translation>>> found(kThreads), found_samples(kThreads);
  std::vector<std::vector<PairScore>> scores(kThreads);
  {
    std::vector<std::jthread> threads;
    for (size_t t = 0; t < kThreads; ++t)
      threads.emplace_back([&, t] {
        TranslateOptions mine = five;
        mine.batch_size = 7 + 5 * t;  // other neighbours in each thread
        mine.workers = t % 2 == 0 ? 1 : 2;
        mine.threads_per_worker = t == 4 ? 2 : 1;
        scores[t] = translator_->score(sentences_, hypotheses);
        found[t] = translator_->n_best(sentences_, mine);
        mine = sampled;
        mine.batch_size = 3 + t;
        found_samples[t] = translator_->n_best(sentences_, mine);
      });
  }
  for (size_t t = 0; t < kThreads; ++t) {
    EXPECT_TRUE(found[t] == expected) << "thread " << t;
    EXPECT_TRUE(found_samples[t] == expected_samples) << "thread " << t;
    EXPECT_TRUE(scores[t] == expected_scores) << "thread " << t;
  }
}

TEST_F(TranslatorTest, OneAtATimeGivesWhatABatchGives) {
  const auto together = translator_->n_best(sentences_, beam(4));
  for (size_t i = 0; i < 10; ++i)
    EXPECT_TRUE(translator_->n_best({sentences_[i]}, beam(4)).at(0) == together[i]) << sentences_[i];
}

TEST_F(TranslatorTest, GivesTheBestFirstWithTheirScores) {
  TranslateOptions o = beam(5);
  o.n_best = 5;
  o.token_log_probs = true;
  for (const double alpha : {1.0, 0.0, 0.6}) {
    o.length_penalty = alpha;
    for (const auto& list : translator_->n_best({sentences_.begin(), sentences_.begin() + 5}, o)) {
      ASSERT_EQ(list.size(), 5u);
      for (size_t i = 0; i < list.size(); ++i) {
        const Translation& t = list[i];
        if (i > 0) {
          EXPECT_LE(t.score, list[i - 1].score);
        }
        ASSERT_EQ(t.token_log_probs.size(), t.ids.size() + 1);
        const double sum = std::accumulate(t.token_log_probs.begin(), t.token_log_probs.end(), 0.0);
        EXPECT_NEAR(t.sum_log_prob, sum, 1e-4);
        const auto length = static_cast<double>(t.token_log_probs.size());
        EXPECT_NEAR(t.score, t.sum_log_prob / std::pow(length, alpha), 1e-5);
      }
    }
  }
}

TEST_F(TranslatorTest, KeepsToTheLengths) {
  TranslateOptions o = beam(1);
  const size_t natural = translator_->n_best({sentences_[0]}, o)[0][0].ids.size();
  o.max_new_tokens = 3;
  EXPECT_EQ(translator_->n_best({sentences_[0]}, o)[0][0].ids.size(), 3u);
  o.max_new_tokens = static_cast<int>(natural) + 9;
  o.min_new_tokens = static_cast<int>(natural) + 5;
  EXPECT_GE(translator_->n_best({sentences_[0]}, o)[0][0].ids.size(), natural + 5);
}

TEST_F(TranslatorTest, Samples) {
  TranslateOptions o;
  o.sample = true;
  o.max_new_tokens = 40;
  o.seed = 1;
  const auto first = translator_->n_best(sentences_, o);
  EXPECT_TRUE(translator_->n_best(sentences_, o) == first);
  o.seed = 2;
  EXPECT_FALSE(translator_->n_best(sentences_, o) == first);
  o.n_best = 3;
  EXPECT_EQ(translator_->n_best({sentences_[0]}, o)[0].size(), 3u);

  o = TranslateOptions();
  o.max_new_tokens = 40;
  const auto greedy = translator_->translate_batch(sentences_, o);
  o.sample = true;
  EXPECT_NE(translator_->translate_batch(sentences_, o), greedy);
  TranslateOptions surest = o;
  surest.top_k = 1;
  EXPECT_EQ(translator_->translate_batch(sentences_, surest), greedy);
  surest = o;
  surest.top_p = 1e-6;
  EXPECT_EQ(translator_->translate_batch(sentences_, surest), greedy);
  surest = o;
  surest.temperature = 1e-4f;
  EXPECT_EQ(translator_->translate_batch(sentences_, surest), greedy);
}

TEST_F(TranslatorTest, ScoresItsOwnTranslationsAsItDid) {
  const auto translations = translator_->n_best(sentences_, beam(1));
  std::vector<std::string> texts;
  for (const auto& list : translations) texts.push_back(list[0].text);
  const auto scores = translator_->score(sentences_, texts, {.batch_size = 7, .threads = 2});
  size_t same = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    const PairScore& s = scores[i];
    ASSERT_EQ(s.tokens.size(), s.token_log_probs.size());
    EXPECT_EQ(s.tokens.back(), "</s>");
    EXPECT_NEAR(std::accumulate(s.token_log_probs.begin(), s.token_log_probs.end(), 0.0), s.sum_log_prob, 1e-4);
    // Some texts have other tokens than those they were decoded from.
    same += std::abs(s.sum_log_prob - translations[i][0].sum_log_prob) < 2e-4f;
  }
  EXPECT_GT(same, texts.size() * 3 / 4);
}

TEST_F(TranslatorTest, TakesAnyText) {
  const auto results = translator_->translate_batch({"", " \t ", "A \xff\xfe dog.", sentences_[0]}, beam(1));
  ASSERT_EQ(results.size(), 4u);
  EXPECT_EQ(results[0], "");
  EXPECT_EQ(results[1], "");
  EXPECT_NE(results[2], "");
  EXPECT_EQ(results[3], recorded("beam1")[0]);
  EXPECT_TRUE(translator_->translate_batch({}).empty());
}

TEST_F(TranslatorTest, RefusesOptions) {
  const auto refuse = [&](const auto& change) {
    TranslateOptions o;
    change(o);
    EXPECT_THROW(translator_->translate("A dog.", o), InvalidOptions);
    EXPECT_THROW(translator_->n_best({"A dog."}, o), InvalidOptions);
  };
  refuse([](TranslateOptions& o) { o.beam = 0; });
  refuse([](TranslateOptions& o) { o.beam = 2, o.n_best = 3; });
  refuse([](TranslateOptions& o) { o.n_best = 0; });
  refuse([](TranslateOptions& o) { o.max_new_tokens = -1; });
  refuse([](TranslateOptions& o) { o.sample = true, o.temperature = 0.0f; });
  refuse([](TranslateOptions& o) { o.batch_size = 0; });
  refuse([](TranslateOptions& o) { o.workers = 0; });
  refuse([](TranslateOptions& o) { o.threads_per_worker = 0; });
  EXPECT_THROW(translator_->score({"a"}, {}), InvalidOptions);
  EXPECT_THROW(translator_->score({"a"}, {"b"}, {.batch_size = 0, .threads = 1}), InvalidOptions);
  EXPECT_THROW(translator_->score({"a"}, {"b"}, {.batch_size = 1, .threads = 0}), InvalidOptions);
  std::string longest;
  for (int i = 0; i < 2000; ++i) longest += "man ";
  EXPECT_THROW(translator_->score({"a"}, {longest}), BadData);
  EXPECT_THROW(translator_->score({longest}, {"a"}), BadData);
}

TEST_F(TranslatorTest, CopiesShareTheModel) {
  Translator copy = *translator_;
  const Translator moved = std::move(*translator_);
  translator_.reset();
  EXPECT_EQ(copy.translate(sentences_[0], beam(1)), moved.translate(sentences_[0], beam(1)));
  copy = moved;
  EXPECT_EQ(copy.translate(sentences_[0], beam(1)), recorded("beam1")[0]);
}

TEST_F(TranslatorTest, RefusesADamagedModel) {
  const testing::TemporaryFolder folder;
  for (const auto& entry : std::filesystem::directory_iterator(shared_path(kModel)))
    std::filesystem::copy(entry.path(), folder / entry.path().filename().string());
  const auto weights = folder / "model.safetensors";
  std::filesystem::permissions(weights, std::filesystem::perms::owner_all);
  std::filesystem::resize_file(weights, 1000);
  EXPECT_THROW(Translator{folder.path()}, BadModel);
}

}  // namespace
}  // namespace heed
