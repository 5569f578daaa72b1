#include "heed/tasks/language_model_training.h"

#include <gmock/gmock.h>

#include <cmath>

#include "heed/base/random.h"
#include "heed/data/token_text.h"
#include "heed/models/registry.h"
#include "heed/tasks/perplexity.h"
#include "heed/tasks/training_text.h"
#include "tasks/training_fixture.h"

namespace heed::tasks {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::never;

// Words whose letters follow from each other: learnt within seconds.
class LanguageModelTrainingTest : public testing::TrainingTest {
 protected:
  LanguageModelTrainingTest() {
    static constexpr const char* kWords[] = {"one", "two", "three", "four", "five", "six", "seven", "eight"};
    Random random(4);
    std::ofstream out(folder_ / "text.txt");
    for (int i = 0; i < 3000; ++i) out << kWords[random.below(8)] << (i % 9 == 8 ? "\n" : " ");
  }

  LanguageModelTrainingOptions options(const std::string& family = "gpt2") const {
    LanguageModelTrainingOptions o;
    o.train = {folder_ / "text.txt"};
    o.valid_fraction = 0.1;
    o.start = testing::small_model(family, 2, 24);
    o.start.tokenizer.kind = "characters";
    o.batch_size = 8;
    o.block = 24;
    return o;
  }

  static train::TrainOptions course(const fs::path& output, int64_t steps) {
    train::TrainOptions o = testing::warmed_course(output, steps, 5e-3);
    o.adam.weight_decay = 0.1f;
    return o;
  }

  static std::string reason(const LanguageModelTrainingOptions& o) {
    return testing::message_of([&] { const LanguageModelTraining task(o); });
  }
};

TEST_F(LanguageModelTrainingTest, LearnsAndItsFolderScoresTheSame) {
  for (const std::string family : {"gpt2", "llama"}) {
    LanguageModelTraining task(options(family));
    const auto before = task.validate(never);
    ASSERT_TRUE(before);
    EXPECT_EQ(before->metrics.at(0).first, "loss");
    EXPECT_NEAR(before->metrics[0].second, std::log(task.tokenizer().vocab_size()), 0.4);
    const auto summary = testing::run(task, course(folder_ / family, 200));
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
  expect_goes_on_bit_for_bit<LanguageModelTraining>(o, course({}, 24), 11);
}

TEST_F(LanguageModelTrainingTest, GoesOnWithAModelAndItsTokenizer) {
  LanguageModelTraining task(options());
  testing::run(task, course(folder_ / "first", 60));
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

TEST_F(LanguageModelTrainingTest, LearnsFromDocumentsEachForItself) {
  LanguageModelTrainingOptions o = options();
  o.documents.per = data::DocumentsPer::kLine;
  o.packed = false;
  o.block = 48;  // lines of nine words have 43 characters, about
  o.start.structure.positions = 48;
  LanguageModelTraining task(o);
  EXPECT_THAT(task.report(), HasSubstr("rows of documents"));
  const auto summary = testing::run(task, course(folder_ / "lines", 200));
  ASSERT_TRUE(summary.best);
  EXPECT_LT(summary.best->result.metrics[0].second, 0.8);
  o.start.structure.dropout = 0.2f;
  expect_goes_on_bit_for_bit<LanguageModelTraining>(o, course({}, 24), 11);
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
  o = options();
  o.train = {file("broken.jsonl", "{\"text\": \"a\"}\n{\"text\": 3}\n")};
  EXPECT_THAT(reason(o), HasSubstr("broken.jsonl:2"));
  o = options();
  o.batch_size = 0;
  EXPECT_THAT(reason(o), HasSubstr("--batch-size is 0"));
}

}  // namespace
}  // namespace heed::tasks
