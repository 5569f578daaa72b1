#include "heed/tasks/question_answering_training.h"

#include <gmock/gmock.h>

#include "heed/base/utf8.h"
#include "tasks/training_fixture.h"

namespace heed::tasks {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::never;
using testing::run;

// Contexts of five people and where they live; some questions have no answer.
class QuestionAnsweringTrainingTest : public testing::TrainingTest {
 protected:
  QuestionAnsweringTrainingTest() {
    write("train.json", false);
    write("train2.json", true);
  }

  void write(const std::string& name, bool version2) const {
    static constexpr const char* kPeople[] = {"Ann", "Bob", "Carl", "Dora", "Zoë"};
    static constexpr const char* kPlaces[] = {"Rome", "New York", "Oslo", "Paris", "Zürich"};
    Json paragraphs = Json::array();
    int id = 0;
    for (int first = 0; first < 5; ++first) {
      std::string context;
      Json questions = Json::array();
      for (int i = 0; i < 4; ++i) {
        const std::string who = kPeople[(first + i) % 5], where = kPlaces[(2 * first + i) % 5];
        context += fmt::format("{}{} lives in {}.", context.empty() ? "" : " ", who, where);
        const std::string before = context.substr(0, context.size() - where.size() - 1);
        questions.push_back({{"id", fmt::format("q{}", ++id)},
                             {"question", fmt::format("Where does {} live?", who)},
                             {"answers", {{{"text", where}, {"answer_start", to_code_points(before).size()}}}}});
      }
      if (version2)
        questions.push_back({{"id", fmt::format("q{}", ++id)},
                             {"question", fmt::format("Where does {} live?", kPeople[(first + 4) % 5])},
                             {"answers", Json::array()},
                             {"is_impossible", true}});
      paragraphs.push_back({{"context", context}, {"qas", questions}});
    }
    file(name, Json{{"data", {{{"title", "t"}, {"paragraphs", paragraphs}}}}}.dump());
  }

  QuestionAnsweringTrainingOptions options(const std::string& train = "train.json") const {
    QuestionAnsweringTrainingOptions o;
    o.train = o.valid = file(train);
    o.start = testing::small_model(models::families_of(models::Kind::kEncoder).front(), 2, 64);
    o.start.structure.ffn = 64;
    o.start.tokenizer.vocab_size = 80;
    o.batch_size = 10;
    o.answers.longest_answer = 30;
    return o;
  }

  static train::TrainOptions course(const std::filesystem::path& output, int64_t steps) {
    train::TrainOptions o = testing::short_course(output, steps, 3e-3);
    o.schedule.kind = optim::ScheduleKind::kLinear;
    o.schedule.total = steps;
    o.schedule.warmup = 20;
    o.clip_norm = 1;
    return o;
  }
};

TEST_F(QuestionAnsweringTrainingTest, LearnsTwentyQuestionsByHeart) {
  QuestionAnsweringTraining task(options());
  EXPECT_THAT(task.report(), HasSubstr("20 questions as 20 windows, 20 of them with the answer"));
  run(task, course(folder_ / "m", 800));
  const auto result = task.validate(never);
  ASSERT_TRUE(result);
  ASSERT_EQ(result->metrics.size(), 2u);
  EXPECT_GE(result->metrics[1].second, 95);
  EXPECT_EQ(result->score, result->metrics[1].second);

  const auto answerer = QuestionAnswerer::load(folder_ / "m");
  const data::SquadData data = read_questions(file("train.json"), 0);
  const auto answers = answer_all(answerer, data, options().answers);
  const metrics::AnswerReport report = score_answers(data, *answers);
  EXPECT_EQ(report.f1, result->score);
  EXPECT_EQ(report.questions, 20);
}

TEST_F(QuestionAnsweringTrainingTest, LearnsThatThereIsNoAnswer) {
  QuestionAnsweringTraining task(options("train2.json"));
  EXPECT_THAT(task.report(), HasSubstr("25 questions as 25 windows, 20 of them with the answer"));
  run(task, course(folder_ / "m", 1000));
  const auto result = task.validate(never);
  ASSERT_EQ(result->metrics.size(), 4u);
  EXPECT_EQ(result->metrics[3].first, "unanswerable_exact");
  EXPECT_GE(result->score, 90);
  EXPECT_GE(result->metrics[3].second, 60);
}

// What a window is to find, as text.
TEST_F(QuestionAnsweringTrainingTest, WindowsHoldTheAnswerOrPointToTheFirstToken) {
  QuestionAnsweringTrainingOptions o = options();
  o.answers.most_tokens = 26;
  o.answers.overlap = 8;
  QuestionAnsweringTraining task(o);
  const auto tokenizer = written_tokenizer(task);
  int with = 0, without = 0;
  for (const StreamedBatch& streamed : testing::epoch_of(task, 0)) {
    const auto& batch = testing::batch_in<EncoderBatch>(streamed);
    for (int i = 0; i < batch.texts.ids.rows(); ++i) {
      EXPECT_LE(batch.texts.ids.length(i), 26);
      const auto row = batch.texts.ids.row(i);
      const auto begin = static_cast<size_t>(batch.wanted.begins[static_cast<size_t>(i)]);
      const auto end = static_cast<size_t>(batch.wanted.ends[static_cast<size_t>(i)]);
      (end > 0 ? with : without) += 1;
      if (end == 0) {
        EXPECT_EQ(begin, 0u);
        continue;
      }
      const std::string found = tokenizer->decode(row.subspan(begin, end - begin + 1));
      EXPECT_TRUE(found == "rome" || found == "new york" || found == "oslo" || found == "paris" || found == "zurich")
          << found;
    }
  }
  EXPECT_GE(with, 20);
  EXPECT_GT(without, 0);
}

TEST_F(QuestionAnsweringTrainingTest, EveryOptionHasAnEffect) {
  const testing::Changes<QuestionAnsweringTrainingOptions> changes = {
      {"batch-size", [](auto& o) { o.batch_size = 7; }},
      {"max-examples", [](auto& o) { o.max_examples = 7; }},
      {"max-length", [](auto& o) { o.answers.most_tokens = 24; }},
      {"doc-stride", [](auto& o) { o.answers.most_tokens = 24, o.answers.overlap = 3; }},
      {"valid-fraction", [](auto& o) { o.valid.clear(), o.valid_fraction = 0.5; }},
      {"layers", [](auto& o) { o.start.structure.layers = 1; }}};
  testing::expect_every_option_counts<QuestionAnsweringTraining>(options(), changes);
}

TEST_F(QuestionAnsweringTrainingTest, GoesOnBitForBit) {
  QuestionAnsweringTrainingOptions o = options();
  o.start.structure.dropout = 0.1f;
  expect_goes_on_bit_for_bit<QuestionAnsweringTraining>(o, course({}, 12), 5);
}

TEST_F(QuestionAnsweringTrainingTest, NamesAQuestionThatLeavesNoRoom) {
  QuestionAnsweringTrainingOptions o = options();
  QuestionAnsweringTraining task(o);
  run(task, course(folder_ / "m", 1));
  o.answers.most_tokens = 8;
  EXPECT_THAT(message_of([&] { const QuestionAnsweringTraining small(o); }),
              ::testing::AllOf(HasSubstr("train.json: question q1: a question of "), HasSubstr("a window has 8")));
  const data::SquadData data = read_questions(file("train.json"), 0);
  EXPECT_THAT(message_of([&] { answer_all(QuestionAnswerer::load(folder_ / "m"), data, o.answers); }),
              HasSubstr("train.json: question q1: a question of "));
  o = options();
  o.valid_fraction = 0.5;
  EXPECT_THAT(message_of([&] { const QuestionAnsweringTraining both(o); }), HasSubstr("not both"));
}

TEST_F(QuestionAnsweringTrainingTest, CanBeStoppedInValidation) {
  QuestionAnsweringTraining task(options());
  EXPECT_FALSE(task.validate([] { return true; }));
}

}  // namespace
}  // namespace heed::tasks
