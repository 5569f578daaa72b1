// Classifiers that teach another: what they say of texts, and what the pupil's loss makes of it.
#include "heed/tasks/teachers.h"

#include <gmock/gmock.h>

#include <cmath>

#include "heed/tasks/classification.h"
#include "heed/tasks/classification_training.h"
#include "tasks/training_fixture.h"

namespace heed::tasks {
namespace {

using testing::batch_in;
using testing::first_batch;
using ::testing::HasSubstr;

constexpr const char* kLabelled = "text\tlabel\none two\tup\ntwo one\tdown\none three\tup\n";
constexpr const char* kUnlabelled = "text\nthree two\nthree one\n";
constexpr const char* kNumbers = "text\tscore\none two\t0.5\ntwo one\t-1\none three\t2\n";
constexpr const char* kLists =
    "{\"text\": \"one two\", \"labels\": [\"x\", \"y\"]}\n{\"text\": \"two one\", \"labels\": [\"y\"]}\n";

class TeachersTest : public testing::TrainingTest {
 protected:
  static ClassificationTrainingOptions options(const std::string& train, uint64_t seed = 1) {
    ClassificationTrainingOptions o;
    o.train = train;
    o.start = testing::small_model("bert", 1, 32);
    o.start.seed = seed;
    o.start.tokenizer.vocab_size = 40;
    o.batch_size = 8;
    return o;
  }

  // The folder of a classifier that has learned a little of these examples.
  std::string teacher(const std::string& name, const std::string& train, uint64_t seed) const {
    ClassificationTraining task(options(train, seed));
    testing::run(task, testing::constant_course(folder_ / name, 5, 3e-3));
    return file(name);
  }

  // A pupil of two teachers with texts that they alone label.
  ClassificationTrainingOptions pupil() const {
    const std::string train = file("train.tsv", kLabelled);
    ClassificationTrainingOptions o = options(train, 9);
    o.teachers.folders = {teacher("first", train, 2), teacher("second", train, 3)};
    o.teachers.unlabelled = {file("more.tsv", kUnlabelled)};
    return o;
  }

  static std::string reason(const ClassificationTrainingOptions& o) {
    return testing::message_of([&] { const ClassificationTraining task(o); });
  }
};

std::vector<double> softmax_at(double temperature, std::span<const float> logits) {
  std::vector<double> p;
  double sum = 0;
  for (const float z : logits) sum += p.emplace_back(std::exp(z / temperature));
  for (double& x : p) x /= sum;
  return p;
}

// The logits of one text.
std::vector<float> logits_of(const std::string& folder, const std::string& text) {
  const auto model = TextClassifier::load(folder);
  return model.scores({model.tokenizer->tokenize(text)}, Scores::kNone, 1)[0];
}

TEST_F(TeachersTest, TheirMeanIsGivenInTheOrderOfTheLabels) {
  const ClassificationTrainingOptions o = pupil();
  const auto texts = read_classification_examples(o.train, {}, 0);
  TeacherOptions two = o.teachers;
  two.temperature = 2;
  const auto said = teacher_outputs(two, texts, models::Problem::kSingleLabel, {"down", "up"});
  const auto first = softmax_at(2, logits_of(file("first"), "one two"));
  const auto second = softmax_at(2, logits_of(file("second"), "one two"));
  ASSERT_EQ(said.size(), 6u);
  EXPECT_NE(first, second);
  for (size_t c = 0; c < 2; ++c) EXPECT_NEAR(said[c], (first[c] + second[c]) / 2, 1e-6);
  // A teacher may number them otherwise.
  const auto turned = teacher_outputs(two, texts, models::Problem::kSingleLabel, {"up", "down"});
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(turned[i], said[i ^ 1]);
}

// (1 - w) CE(z, label) + w T^2 CE(z / T, teachers); of a text without a label T^2 CE(z / T, teachers).
TEST_F(TeachersTest, ThePupilsLossIsHintons) {
  ClassificationTrainingOptions o = pupil();
  o.teachers.weight = 0.3;
  o.teachers.temperature = 2;
  const ClassificationTraining task(o);
  EXPECT_THAT(task.report(), HasSubstr("5 examples"));
  EXPECT_THAT(task.report(), HasSubstr("2 unlabelled"));
  auto texts = read_classification_examples(o.train, {}, 0);
  append_unlabelled(o.teachers, {}, texts);
  const auto said = teacher_outputs(o.teachers, texts, models::Problem::kSingleLabel, task.model().labels());
  const auto answers = answers_of(texts, models::Problem::kSingleLabel, task.model().labels());
  const auto streamed = first_batch(task);
  const auto& batch = batch_in<EncoderBatch>(streamed);
  ASSERT_EQ(batch.targets(), 5);
  const NoGrad off;
  const auto z = task.model().logits(batch.texts, {}).to_vector<float>();
  double sum = 0;
  for (size_t row = 0; row < 5; ++row) {
    const uint32_t i = batch.texts.examples[row];
    const auto logits = std::span(z).subspan(row * 2, 2);
    const auto hard = softmax_at(1, logits), soft = softmax_at(2, logits);
    const double weight = answers.classes[i] < 0 ? 1 : 0.3;
    for (size_t c = 0; c < 2; ++c) {
      sum -= weight * 4 * said[i * 2 + c] * std::log(soft[c]);
      if (std::cmp_equal(c, answers.classes[i])) sum -= 0.7 * std::log(hard[c]);
    }
  }
  const BatchLoss loss = task.loss(batch, {}, 5);
  EXPECT_NEAR(loss.loss_sum, sum, 1e-5);
  EXPECT_NEAR(loss.loss.item(), sum / 5, 1e-6);
}

TEST_F(TeachersTest, NumbersAndSeveralLabelsAreMixed) {
  for (const auto& [name, text] : {std::pair("numbers.tsv", kNumbers), {"lists.jsonl", kLists}}) {
    ClassificationTrainingOptions o = options(file(name, text), 9);
    o.teachers.folders = {teacher(std::string("teacher of ") + name, o.train, 2)};
    o.teachers.unlabelled = {file("more.tsv", kUnlabelled)};
    o.teachers.weight = 0.25;
    const ClassificationTraining task(o);
    auto texts = read_classification_examples(o.train, {}, 0);
    append_unlabelled(o.teachers, {}, texts);
    const auto problem = task.model().problem();
    const auto said = teacher_outputs(o.teachers, texts, problem, task.model().labels());
    const auto answers = answers_of(texts, problem, task.model().labels()).values;
    const auto streamed = first_batch(task);
    const auto& batch = batch_in<EncoderBatch>(streamed);
    const auto wanted = batch.wanted.values.to_vector<float>();
    const size_t width = task.model().labels().size();
    ASSERT_EQ(wanted.size(), texts.size() * width);
    for (size_t k = 0; k < wanted.size(); ++k) {
      const size_t i = batch.texts.examples[k / width], at = i * width + k % width;
      const float weight = i + 2 < texts.size() ? 0.25f : 1;
      EXPECT_NEAR(wanted[k], (1 - weight) * answers[at] + weight * said[at], 1e-6) << name << " " << k;
    }
  }
}

TEST_F(TeachersTest, SharesOfLabelsAreMixed) {
  ClassificationTrainingOptions o = pupil();
  o.train = file("shared.jsonl", "{\"text\": \"one two\", \"label\": {\"up\": 0.25, \"down\": 0.75}}\n");
  o.teachers.weight = 0.4;
  const ClassificationTraining task(o);
  auto texts = read_classification_examples(o.train, {}, 0);
  append_unlabelled(o.teachers, {}, texts);
  const auto said = teacher_outputs(o.teachers, texts, models::Problem::kSingleLabel, {"down", "up"});
  const auto streamed = first_batch(task);
  const auto& batch = batch_in<EncoderBatch>(streamed);
  const auto shares = batch.wanted.shares.to_vector<float>();
  ASSERT_EQ(shares.size(), 6u);
  for (size_t row = 0; row < 3; ++row) {
    const size_t i = batch.texts.examples[row];
    EXPECT_NEAR(shares[row * 2], i == 0 ? 0.6 * 0.75 + 0.4 * said[0] : said[i * 2], 1e-6);
    EXPECT_EQ(i == 0 ? batch.wanted.weights[row] : 0, 0) << "the shares are all of it";
  }
}

TEST_F(TeachersTest, WeightsOfLabelsAreOfLabelsAlone) {
  ClassificationTrainingOptions o = pupil();
  o.class_weights = true;
  const ClassificationTraining task(o);
  const auto streamed = first_batch(task);
  const models::Targets& wanted = batch_in<EncoderBatch>(streamed).wanted;
  ASSERT_EQ(wanted.classes.size(), 5u);
  // Labels 0 (once) and 1 (twice) of three: 3 / 2 and 3 / 4, times the half that is theirs.
  for (size_t i = 0; i < 5; ++i)
    if (wanted.classes[i] >= 0) {
      EXPECT_FLOAT_EQ(wanted.weights[i], wanted.classes[i] == 0 ? 0.75f : 0.375f);
    }
}

TEST_F(TeachersTest, EveryOptionCounts) {
  testing::expect_every_option_counts<ClassificationTraining, ClassificationTrainingOptions>(
      pupil(), {{"teacher", [](auto& o) { o.teachers.folders.pop_back(); }},
                {"unlabelled", [](auto& o) { o.teachers.unlabelled.clear(); }},
                {"teacher-weight", [](auto& o) { o.teachers.weight = 0.9; }},
                {"temperature", [](auto& o) { o.teachers.temperature = 3; }}});
}

TEST_F(TeachersTest, GoesOnBitForBit) {
  ClassificationTrainingOptions o = pupil();
  o.start.structure.dropout = 0.1f;
  expect_goes_on_bit_for_bit<ClassificationTraining>(o, testing::constant_course({}, 12, 3e-3), 5);
}

TEST_F(TeachersTest, RefusesWhatCannotBe) {
  const ClassificationTrainingOptions good = pupil();
  EXPECT_EQ(reason(good), "no error");
  ClassificationTrainingOptions o = good;
  o.train = file("others.tsv", "text\tlabel\none\tup\ntwo\tleft\n");
  EXPECT_THAT(reason(o), HasSubstr("first: the teacher's labels are down, up; the pupil's are left, up"));
  o.train = file("numbers.tsv", kNumbers);
  EXPECT_THAT(reason(o), HasSubstr("first: the teacher's problem_type is another than the pupil's"));
  o.teachers.temperature = 2;
  EXPECT_THAT(reason(o), HasSubstr("--temperature is for examples of one label"));
  o = good;
  o.teachers.unlabelled = {file("pairs.tsv", "text\ttext_pair\none\ttwo\n")};
  EXPECT_THAT(reason(o), HasSubstr("pairs.tsv: pairs of texts, where the labelled ones are single"));
  o.teachers.unlabelled = {file("nothing.tsv", "text\n")};
  EXPECT_THAT(reason(o), HasSubstr("nothing.tsv"));
  o.teachers.folders = {file("no-such-folder")};
  o.teachers.unlabelled.clear();
  EXPECT_THAT(reason(o), HasSubstr("no-such-folder"));
  o = good;
  o.teachers.folders.clear();
  EXPECT_THAT(reason(o), HasSubstr("--unlabelled needs a --teacher"));
  o.teachers.unlabelled.clear();
  o.teachers.weight = 0.5;
  EXPECT_THAT(reason(o), HasSubstr("--teacher-weight needs a --teacher"));
  o.teachers.weight.reset();
  o.teachers.temperature = 2;
  EXPECT_THAT(reason(o), HasSubstr("--temperature needs a --teacher"));
}

}  // namespace
}  // namespace heed::tasks
