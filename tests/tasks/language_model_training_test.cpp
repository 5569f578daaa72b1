#include "heed/tasks/language_model_training.h"

#include <gmock/gmock.h>

#include <cmath>
#include <fstream>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/random.h"
#include "heed/base/threads.h"
#include "heed/models/registry.h"
#include "heed/tasks/perplexity.h"
#include "heed/tasks/training_text.h"
#include "heed/train/trainer.h"
#include "shared_files.h"

namespace heed::tasks {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// Words whose letters follow from each other: learnt within seconds.
class LanguageModelTrainingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    set_thread_count(1);
    static constexpr const char* kWords[] = {"one", "two", "three", "four", "five", "six", "seven", "eight"};
    Random random(4);
    std::ofstream out(folder_ / "text.txt");
    for (int i = 0; i < 3000; ++i) out << kWords[random.below(8)] << (i % 9 == 8 ? "\n" : " ");
  }
  void TearDown() override { set_thread_count(0); }

  LanguageModelTrainingOptions options(const std::string& family = "gpt2") const {
    LanguageModelTrainingOptions o;
    o.train = {folder_ / "text.txt"};
    o.valid_fraction = 0.1;
    o.start.family = family;
    o.start.tokenizer.kind = "characters";
    o.start.structure.layers = 2;
    o.start.structure.d_model = 32;
    o.start.structure.heads = 2;
    o.start.structure.positions = 24;
    o.start.structure.dropout = 0.0f;
    o.batch_size = 8;
    o.block = 24;
    return o;
  }

  static train::TrainOptions course(const fs::path& output, int64_t steps) {
    train::TrainOptions o;
    o.output = output;
    o.max_steps = steps;
    o.schedule.peak = 5e-3;
    o.schedule.warmup = 20;
    o.adam.decoupled = true;
    o.adam.weight_decay = 0.1f;
    o.clip_norm = 1;
    o.valid_every = o.save_every = 0;
    o.average = 0;
    return o;
  }

  static std::string reason(const LanguageModelTrainingOptions& o) {
    try {
      const LanguageModelTraining task(o);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  static std::string weights(const fs::path& model) { return read_file(model / "model.safetensors"); }

  static bool never() { return false; }

  testing::TemporaryFolder folder_;
};

TEST_F(LanguageModelTrainingTest, LearnsAndItsFolderScoresTheSame) {
  for (const std::string family : {"gpt2", "llama"}) {
    LanguageModelTraining task(options(family));
    train::TrainObserver observer;
    const auto before = task.validate(never);
    ASSERT_TRUE(before);
    EXPECT_EQ(before->metrics.at(0).first, "loss");
    EXPECT_NEAR(before->metrics[0].second, std::log(task.tokenizer().vocab_size()), 0.4);
    const auto summary = train::train(task, course(folder_ / family, 200), observer, never);
    ASSERT_TRUE(summary.best);
    const auto& metrics = summary.best->result.metrics;
    // Which word comes is 3 bits, of 4.9 characters with its space.
    EXPECT_LT(metrics[0].second, 0.7);
    EXPECT_GT(metrics[0].second, 0.35);
    EXPECT_DOUBLE_EQ(metrics[1].second, std::exp(metrics[0].second));
    EXPECT_EQ(metrics[2].first, "bits_per_byte");
    EXPECT_NEAR(metrics[2].second, metrics[0].second / std::log(2), 1e-3);
    EXPECT_EQ(summary.best->result.score, -metrics[0].second);

    const auto model = models::load_as<models::CausalModel>(io::ModelFolder::open(folder_ / family));
    const auto tokenizer = text::load_tokenizer(folder_ / family);
    const auto text = training_text(options().train, {}, 0.1, {});
    const auto found = stream_perplexity(*model, data::encode_text(*text.valid, *tokenizer, {}), {}).value();
    EXPECT_NEAR(found.loss(), metrics[0].second, 1e-6);
    EXPECT_EQ(model->generation_config().value()["eos_token_id"], tokenizer->eos_id());
    EXPECT_EQ(tokenizer->decode(tokenizer->encode("one two\nsix")), "one two\nsix");
  }
}

TEST_F(LanguageModelTrainingTest, EveryBatchIsAPureFunctionOfItsPlaceAndAnEpochPredictsEveryToken) {
  const LanguageModelTraining task(options()), again(options());
  const auto expected =
      static_cast<int64_t>(std::floor(0.9 * static_cast<double>(fs::file_size(folder_ / "text.txt")))) - 1;
  for (const uint64_t epoch : {0, 3}) {
    int64_t targets = 0;
    const auto stream = task.batches().stream({epoch, 0}, 2);
    for (uint64_t k = 0; k < task.batches().count(epoch); ++k) {
      const auto batch = stream->next();
      targets += batch.batch->targets();
      if (k % 11 != 5) continue;
      const auto other = again.batches().stream({epoch, k}, 1)->next();
      EXPECT_EQ(task.loss(*batch.batch, {}, 1).loss_sum, again.loss(*other.batch, {}, 1).loss_sum);
      EXPECT_EQ(batch.batch->describe(), other.batch->describe());
    }
    EXPECT_EQ(targets, expected);
  }
}

TEST_F(LanguageModelTrainingTest, AResumedTrainingIsTheSameBitForBit) {
  LanguageModelTrainingOptions o = options();
  o.start.structure.dropout = 0.2f;
  o.batch_size = 64;  // an epoch ends on the way
  train::TrainObserver observer;
  LanguageModelTraining whole(o);
  train::train(whole, course(folder_ / "whole", 24), observer, never);
  LanguageModelTraining first(o);
  train::train(first, course(folder_ / "parts", 11), observer, never);
  o.start.resume = folder_ / "parts";
  LanguageModelTraining second(o);
  EXPECT_EQ(first.identity(), second.identity());
  train::TrainOptions rest = course(folder_ / "parts", 24);
  rest.resume = true;
  train::train(second, rest, observer, never);
  EXPECT_TRUE(weights(folder_ / "whole") == weights(folder_ / "parts"));
}

TEST_F(LanguageModelTrainingTest, GoesOnWithAModelAndItsTokenizer) {
  train::TrainObserver observer;
  LanguageModelTraining task(options());
  train::train(task, course(folder_ / "first", 60), observer, never);
  const auto trained = task.validate(never);
  LanguageModelTrainingOptions o = options();
  o.start = {};
  o.start.init = folder_ / "first";
  o.block = 0;
  LanguageModelTraining next(o);
  EXPECT_NEAR(next.validate(never)->metrics[0].second, trained->metrics[0].second, 1e-6);
  EXPECT_THAT(next.report(), HasSubstr("blocks of 24"));
  o.block = 25;
  EXPECT_THAT(reason(o), HasSubstr("--block is 25; the model has 24 positions"));
}

TEST_F(LanguageModelTrainingTest, TheCacheGivesTheSameTraining) {
  LanguageModelTrainingOptions o = options();
  o.cache = folder_ / "cache";
  LanguageModelTraining cached(o);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "cache"), fs::directory_iterator()), 2);
  LanguageModelTraining again(o), plain(options());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "cache"), fs::directory_iterator()), 2);
  const auto loss = [](LanguageModelTraining& task) {
    return task.loss(*task.batches().stream({1, 2}, 1)->next().batch, {}, 1).loss_sum;
  };
  EXPECT_EQ(loss(cached), loss(plain));
  EXPECT_EQ(loss(again), loss(plain));
  EXPECT_EQ(again.validate(never)->score, plain.validate(never)->score);
}

TEST_F(LanguageModelTrainingTest, RefusesWhatContradictsItself) {
  LanguageModelTrainingOptions o = options();
  o.valid = {folder_ / "text.txt"};
  EXPECT_THAT(reason(o), HasSubstr("--valid or --valid-fraction, not both"));
  o = options();
  o.train = {folder_ / "missing.txt"};
  EXPECT_THAT(reason(o), HasSubstr("missing.txt"));
  o = options();
  o.train.clear();
  EXPECT_THAT(reason(o), HasSubstr("no files"));
  std::ofstream(folder_ / "broken.jsonl") << "{\"text\": \"a\"}\n{\"text\": 3}\n";
  o = options();
  o.train = {folder_ / "broken.jsonl"};
  EXPECT_THAT(reason(o), HasSubstr("broken.jsonl:2"));
  o = options();
  o.batch_size = 0;
  EXPECT_THAT(reason(o), HasSubstr("--batch-size is 0"));
}

}  // namespace
}  // namespace heed::tasks
