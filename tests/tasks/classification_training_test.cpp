// Training of a classifier of texts: what its examples are, its loss, adapters that go on, and what is refused.
#include "heed/tasks/classification_training.h"

#include <gmock/gmock.h>

#include <cmath>
#include <fstream>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/threads.h"
#include "heed/tasks/masked_lm_training.h"
#include "heed/train/trainer.h"
#include "shared_files.h"
#include "tasks/word_lines.h"

namespace heed::tasks {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ClassificationTrainingTest : public ::testing::Test {
 protected:
  void SetUp() override { set_thread_count(1); }
  void TearDown() override { set_thread_count(0); }

  fs::path file(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }

  // Number words, "up" if the second is larger than the first.
  fs::path words(const std::string& name) const {
    static constexpr const char* kWords[] = {"one", "two", "three", "four", "five", "six"};
    std::string text = "text\tlabel\n";
    for (int i = 0; i < 36; ++i)
      if (i / 6 != i % 6)
        text += fmt::format("{} {}\t{}\n", kWords[i / 6], kWords[i % 6], i % 6 > i / 6 ? "up" : "down");
    return file(name, text);
  }

  ClassificationTrainingOptions options(const fs::path& train) const {
    ClassificationTrainingOptions o;
    o.train = train;
    o.start.family = "bert";
    o.start.structure.layers = 1;
    o.start.structure.d_model = 32;
    o.start.structure.heads = 2;
    o.start.structure.positions = 32;
    o.start.structure.dropout = 0.0f;
    o.start.tokenizer.vocab_size = 60;
    o.batch_size = 8;
    return o;
  }

  static train::TrainOptions course(const fs::path& output, int64_t steps) {
    train::TrainOptions o;
    o.output = output;
    o.max_steps = steps;
    o.schedule.kind = optim::ScheduleKind::kConstant;
    o.schedule.peak = 3e-3;
    o.valid_every = o.save_every = 0;
    o.average = 0;
    return o;
  }

  static void run(TrainingTask& task, const train::TrainOptions& course) {
    train::TrainObserver observer;
    train::train(task, course, observer, [] { return false; });
  }

  static std::string reason(const ClassificationTrainingOptions& o) {
    try {
      const ClassificationTraining task(o);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  testing::TemporaryFolder folder_;
};

TEST_F(ClassificationTrainingTest, LabelsSayWhatIsLearned) {
  const auto problem = [&](const std::string& name, const std::string& text) {
    return guess_problem(read_classification_examples(file(name, text), {}, 0));
  };
  EXPECT_EQ(problem("a.tsv", "text\tlabel\na\t1\nb\t0\n"), models::Problem::kSingleLabel);
  EXPECT_EQ(problem("b.tsv", "text\tlabel\na\t1\nb\t0.5\n"), models::Problem::kRegression);
  EXPECT_EQ(problem("c.tsv", "text\tlabel\na\t1.5\nb\tx\n"), models::Problem::kSingleLabel);
  EXPECT_EQ(problem("d.jsonl", "{\"text\": \"a\", \"label\": 0.5}\n"), models::Problem::kRegression);
  // Lists are several labels, also where none of them holds two.
  EXPECT_EQ(problem("e.jsonl", "{\"text\": \"a\", \"label\": [\"x\"]}\n{\"text\": \"b\", \"label\": [\"y\"]}\n"),
            models::Problem::kMultiLabel);
  const auto sorted = read_classification_examples(file("f.tsv", "text\tlabel\na\t10\nb\t9\nc\t10\n"), {}, 0);
  EXPECT_THAT(labels_in(sorted), ElementsAre("9", "10"));
  // What is no finite number is a name.
  EXPECT_EQ(problem("g.tsv", "text\tlabel\na\tnan\nb\t0.5\n"), models::Problem::kSingleLabel);
}

TEST_F(ClassificationTrainingTest, TheLossIsTheMeanOverLabelsAndNumbers) {
  const fs::path several = file("several.jsonl",
                                "{\"text\": \"a b\", \"labels\": [\"x\", \"y\"]}\n{\"text\": \"b\", \"labels\": []}\n"
                                "{\"text\": \"a\", \"labels\": [\"z\"]}\n");
  const ClassificationTraining task(options(several));
  const auto streamed = task.batches().stream({0, 0}, 1)->next();
  const auto& batch = static_cast<const EncoderBatch&>(*streamed.batch);
  EXPECT_EQ(batch.targets(), 3);
  const BatchLoss loss = task.loss(batch, {}, 3);
  const NoGrad off;
  const auto z = task.model().logits(batch.texts, {}).to_vector<float>();
  const auto v = batch.wanted.values.to_vector<float>();
  ASSERT_EQ(z.size(), 9u);
  double sum = 0;
  for (size_t i = 0; i < z.size(); ++i) sum += std::log1p(std::exp(z[i])) - v[i] * z[i];
  EXPECT_NEAR(loss.loss_sum, sum / 3, 1e-5);
  EXPECT_NEAR(loss.loss.item(), sum / 9, 1e-6);  // torch.nn.BCEWithLogitsLoss
}

TEST_F(ClassificationTrainingTest, RareLabelsCountMoreByTheirWeights) {
  ClassificationTrainingOptions o = options(file("rare.tsv", "text\tlabel\na\tx\nb\tx\nc\tx\nd\ty\n"));
  const ClassificationTraining plain(o);
  o.class_weights = true;
  const ClassificationTraining weighted(o);
  const auto streamed = weighted.batches().stream({0, 0}, 1)->next();
  const auto& wanted = static_cast<const EncoderBatch&>(*streamed.batch).wanted;
  ASSERT_EQ(wanted.classes.size(), 4u);
  for (size_t i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(wanted.weights[i], wanted.classes[i] == 1 ? 2.0f : 2.0f / 3);
  EXPECT_NE(weighted.loss(*streamed.batch, {}, 4).loss_sum,
            plain.loss(*plain.batches().stream({0, 0}, 1)->next().batch, {}, 4).loss_sum);
  EXPECT_NE(weighted.identity(), plain.identity());
}

// The pooler and the head are new to a masked language model: trained whole beside the adapters, also after a stop.
TEST_F(ClassificationTrainingTest, AdaptersOnAnotherBodyGoOnBitForBit) {
  testing::write_word_lines(folder_ / "lines.txt", 1, 60);
  MaskedLmTrainingOptions body;
  body.train = {folder_ / "lines.txt"};
  body.documents.per = data::DocumentsPer::kLine;
  body.start = options({}).start;
  MaskedLmTraining pretraining(body);
  run(pretraining, course(folder_ / "body", 3));

  ClassificationTrainingOptions o = options(words("words.tsv"));
  o.start = {};
  o.start.init = folder_ / "body";
  o.start.tuning.lora.rank = 2;
  ClassificationTraining whole(o), part(o);
  run(whole, course(folder_ / "whole", 12));
  run(part, course(folder_ / "parts", 5));
  o.start.resume = folder_ / "parts";
  ClassificationTraining second(o);
  train::TrainOptions rest = course(folder_ / "parts", 12);
  rest.resume = true;
  run(second, rest);
  EXPECT_EQ(second.parameters().values().to_vector<float>(), whole.parameters().values().to_vector<float>());
  EXPECT_EQ(read_json(folder_ / "parts/adapter/adapter_config.json"),
            read_json(folder_ / "whole/adapter/adapter_config.json"));
}

TEST_F(ClassificationTrainingTest, RefusesWhatCannotBe) {
  const fs::path good = words("good.tsv");
  EXPECT_EQ(reason(options(good)), "no error");
  EXPECT_THAT(reason(options(file("a.tsv", "text\tlabel\na\tx\nb\t\n"))), HasSubstr("a.tsv:3: the label is empty"));
  EXPECT_THAT(reason(options(file("b.jsonl", "{\"text\": \"a\", \"labels\": []}\n"))),
              HasSubstr("b.jsonl: no example has a label"));
  ClassificationTrainingOptions o = options(good);
  o.problem = models::Problem::kRegression;
  EXPECT_THAT(reason(o), HasSubstr("good.tsv:2: \"up\" is no number"));
  o.train = file("c.tsv", "text\tlabel\na\t0.5\nb\tinf\n");
  EXPECT_THAT(reason(o), HasSubstr("c.tsv:3: \"inf\" is no number"));
  o = options(good);
  o.valid = file("pairs.tsv", "text\ttext_pair\tlabel\none\ttwo\tup\n");
  EXPECT_THAT(reason(o), HasSubstr("pairs.tsv: pairs of texts, where"));
  o.valid = good;
  o.valid_fraction = 0.1;
  EXPECT_THAT(reason(o), HasSubstr("--valid or --valid-fraction, not both"));
  o = options(file("e.tsv", "text\tscore\na\t0.5\nb\t1.5\n"));
  o.label_smoothing = 0.1f;
  EXPECT_THAT(reason(o), HasSubstr("--label-smoothing is for examples of one label"));
  // An error on another thread is an error, and no end of the program.
  std::string many = "text\tlabel\n";
  for (int i = 0; i < 300; ++i) many += i % 2 == 0 ? "one two\tx\n" : "three\ty\n";
  o = options(file("many.tsv", many));
  o.max_length = 1;
  set_thread_count(2);
  EXPECT_THAT(reason(o), HasSubstr("tokens around a text, the model takes 1"));
}

}  // namespace
}  // namespace heed::tasks
