// Training of a classifier of texts: what its examples are, its loss, adapters that go on, and what is refused.
#include "heed/tasks/classification_training.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "heed/tasks/masked_lm_training.h"
#include "tasks/training_fixture.h"
#include "tasks/word_lines.h"

namespace heed::tasks {
namespace {

using testing::batch_in;
using ::testing::ElementsAre;
using testing::first_batch;
using ::testing::HasSubstr;

class ClassificationTrainingTest : public testing::TrainingTest {
 protected:
  // Number words, "up" if the second is larger than the first.
  std::string words(const std::string& name) const {
    static constexpr const char* kWords[] = {"one", "two", "three", "four", "five", "six"};
    std::string text = "text\tlabel\n";
    for (int i = 0; i < 36; ++i)
      if (i / 6 != i % 6)
        text += fmt::format("{} {}\t{}\n", kWords[i / 6], kWords[i % 6], i % 6 > i / 6 ? "up" : "down");
    return file(name, text);
  }

  static ClassificationTrainingOptions options(const std::string& train) {
    ClassificationTrainingOptions o;
    o.train = train;
    o.start = testing::small_model("bert", 1, 32);
    o.start.tokenizer.vocab_size = 60;
    o.batch_size = 8;
    return o;
  }

  static train::TrainOptions course(const std::filesystem::path& output, int64_t steps) {
    return testing::constant_course(output, steps, 3e-3);
  }

  static std::string reason(const ClassificationTrainingOptions& o) {
    return testing::message_of([&] { const ClassificationTraining task(o); });
  }
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
  const std::string several =
      file("several.jsonl",
           "{\"text\": \"a b\", \"labels\": [\"x\", \"y\"]}\n{\"text\": \"b\", \"labels\": []}\n"
           "{\"text\": \"a\", \"labels\": [\"z\"]}\n");
  const ClassificationTraining task(options(several));
  const auto streamed = first_batch(task);
  const auto& batch = batch_in<EncoderBatch>(streamed);
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

// Cross entropy with the shares, which need not sum to 1 as they are written; a plain label has all of its example.
TEST_F(ClassificationTrainingTest, LabelsMayShareAnExample) {
  const std::string shared =
      file("shared.jsonl",
           "{\"text\": \"a b\", \"label\": {\"x\": 3, \"y\": 1}}\n{\"text\": \"b\", \"label\": \"y\"}\n"
           "{\"text\": \"a\", \"label\": {\"z\": 0.5, \"x\": 0.5}}\n");
  const ClassificationTraining task(options(shared));
  EXPECT_EQ(task.model().problem(), models::Problem::kSingleLabel);
  EXPECT_THAT(task.model().labels(), ElementsAre("x", "y", "z"));
  const std::vector<std::vector<double>> shares{{0.75, 0.25, 0}, {0, 1, 0}, {0.5, 0, 0.5}};
  const auto streamed = first_batch(task);
  const auto& batch = batch_in<EncoderBatch>(streamed);
  ASSERT_EQ(batch.targets(), 3);
  const NoGrad off;
  const auto z = task.model().logits(batch.texts, {}).to_vector<float>();
  double sum = 0;
  for (size_t row = 0; row < 3; ++row) {
    const auto logits = std::span(z).subspan(row * 3, 3);
    const double lse = std::log(std::exp(logits[0]) + std::exp(logits[1]) + std::exp(logits[2]));
    for (size_t c = 0; c < 3; ++c) sum += shares[batch.texts.examples[row]][c] * (lse - logits[c]);
  }
  EXPECT_NEAR(task.loss(batch, {}, 3).loss_sum, sum, 1e-5);
  // What is scored is the label with the largest share.
  const auto answers =
      answers_of(read_classification_examples(shared, {}, 0), models::Problem::kSingleLabel, task.model().labels());
  EXPECT_THAT(answers.classes, ElementsAre(0, 1, 0));
}

TEST_F(ClassificationTrainingTest, RefusesSharesThatAreNone) {
  const auto message = [&](const std::string& label) {
    return reason(
        options(file("s.jsonl", "{\"text\": \"a\", \"label\": \"x\"}\n{\"text\": \"b\", \"label\": " + label + "}\n")));
  };
  EXPECT_EQ(message("{\"x\": 1, \"y\": 2}"), "no error");
  EXPECT_THAT(message("{\"x\": 1, \"y\": -2}"), HasSubstr("s.jsonl:2: the share of \"y\" is -2"));
  EXPECT_THAT(message("{\"x\": 0, \"y\": 0}"), HasSubstr("s.jsonl:2: no label has a share above 0"));
  EXPECT_THAT(message("{\"x\": 1, \"y\": \"much\"}"), HasSubstr("s.jsonl:2: \"label\" must be a text or a number"));
  EXPECT_THAT(message("{}"), HasSubstr("s.jsonl:2"));
  ClassificationTrainingOptions o = options(file("t.jsonl", "{\"text\": \"a\", \"label\": {\"x\": 1, \"y\": 2}}\n"));
  o.problem = models::Problem::kMultiLabel;
  EXPECT_THAT(reason(o), HasSubstr("t.jsonl:1: shares of labels are for a choice of one label"));
  o.problem.reset();
  o.class_weights = true;
  EXPECT_THAT(reason(o), HasSubstr("--class-weights is for examples of one label each, without shares"));
  o.class_weights = false;
  o.label_smoothing = 0.1f;
  EXPECT_THAT(reason(o), HasSubstr("--label-smoothing is for examples of one label each, without shares"));
  o.label_smoothing = 0;
  o.teachers.folders = {"teacher"};
  o.teachers.temperature = 2;
  EXPECT_THAT(reason(o), HasSubstr("--temperature is for examples of one label each, without shares"));
}

TEST_F(ClassificationTrainingTest, RareLabelsCountMoreByTheirWeights) {
  ClassificationTrainingOptions o = options(file("rare.tsv", "text\tlabel\na\tx\nb\tx\nc\tx\nd\ty\n"));
  const ClassificationTraining plain(o);
  o.class_weights = true;
  const ClassificationTraining weighted(o);
  const auto streamed = first_batch(weighted);
  const auto& wanted = batch_in<EncoderBatch>(streamed).wanted;
  ASSERT_EQ(wanted.classes.size(), 4u);
  for (size_t i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(wanted.weights[i], wanted.classes[i] == 1 ? 2.0f : 2.0f / 3);
  EXPECT_NE(weighted.loss(*streamed.batch, {}, 4).loss_sum, plain.loss(*first_batch(plain).batch, {}, 4).loss_sum);
  EXPECT_NE(weighted.identity(), plain.identity());
}

TEST_F(ClassificationTrainingTest, WordsAreHiddenAnewInEachEpoch) {
  ClassificationTrainingOptions o = options(words("words.tsv"));
  testing::expect_every_option_counts<ClassificationTraining, ClassificationTrainingOptions>(
      o, {{"word-dropout", [](auto& changed) { changed.word_dropout = 0.5; }}});
  o.word_dropout = 0.5;
  ClassificationTraining task(o);
  const int32_t mask = written_tokenizer(task)->mask_id();
  const auto hidden = [&](uint64_t epoch) {
    std::map<uint32_t, int64_t> by_example;
    for (const tasks::StreamedBatch& streamed : testing::epoch_of(task, epoch)) {
      const models::TextBatch& texts = testing::batch_in<EncoderBatch>(streamed).texts;
      for (size_t row = 0; row < texts.examples.size(); ++row)
        by_example[texts.examples[row]] = std::ranges::count(texts.ids.row(static_cast<int>(row)), mask);
    }
    return by_example;
  };
  EXPECT_NE(hidden(0), hidden(1));
  EXPECT_EQ(hidden(0), hidden(0));
}

TEST_F(ClassificationTrainingTest, GoesOnBitForBit) {
  ClassificationTrainingOptions o = options(words("words.tsv"));
  o.valid_fraction = 0.2;
  o.start.structure.dropout = 0.1f;
  o.label_smoothing = 0.1f;
  o.word_dropout = 0.2;
  expect_goes_on_bit_for_bit<ClassificationTraining>(o, course({}, 12), 5);
}

// The pooler and the head are new to a masked language model: trained whole beside the adapters, also after a stop.
TEST_F(ClassificationTrainingTest, AdaptersOnAnotherBodyGoOnBitForBit) {
  testing::write_word_lines(folder_ / "lines.txt", 1, 60);
  MaskedLmTrainingOptions body;
  body.train = {folder_ / "lines.txt"};
  body.documents.per = data::DocumentsPer::kLine;
  body.start = options({}).start;
  MaskedLmTraining pretraining(body);
  testing::run(pretraining, course(folder_ / "body", 3));

  ClassificationTrainingOptions o = options(words("words.tsv"));
  o.start = {};
  o.start.init = folder_ / "body";
  o.start.tuning.lora.rank = 2;
  expect_goes_on_bit_for_bit<ClassificationTraining>(o, course({}, 12), 5);
  EXPECT_EQ(read_json(folder_ / "parts/adapter/adapter_config.json"),
            read_json(folder_ / "whole/adapter/adapter_config.json"));
}

TEST_F(ClassificationTrainingTest, RefusesWhatCannotBe) {
  const std::string good = words("good.tsv");
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
  EXPECT_THAT(reason(o), HasSubstr("2 tokens around a text, the model takes 1"));
}

}  // namespace
}  // namespace heed::tasks
