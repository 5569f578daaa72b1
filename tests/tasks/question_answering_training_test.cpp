#include "heed/tasks/question_answering_training.h"

#include <gmock/gmock.h>

#include <fstream>

#include "heed/base/error.h"
#include "heed/base/threads.h"
#include "heed/base/utf8.h"
#include "heed/train/trainer.h"
#include "shared_files.h"

namespace heed::tasks {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// Contexts of five people and where they live; some questions have no answer.
class QuestionAnsweringTrainingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    set_thread_count(1);
    write("train.json", false);
    write("train2.json", true);
  }
  void TearDown() override { set_thread_count(0); }

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
    std::ofstream(folder_ / name) << Json{{"data", {{{"title", "t"}, {"paragraphs", paragraphs}}}}}.dump();
  }

  std::string file(const std::string& name) const { return (folder_ / name).string(); }

  QuestionAnsweringTrainingOptions options(const std::string& train = "train.json") const {
    QuestionAnsweringTrainingOptions o;
    o.train = o.valid = file(train);
    o.start.family = models::families_of(models::Kind::kEncoder).front();
    o.start.structure.layers = 2;
    o.start.structure.d_model = 32;
    o.start.structure.heads = 2;
    o.start.structure.ffn = 64;
    o.start.structure.positions = 64;
    o.start.structure.dropout = 0;
    o.start.tokenizer.vocab_size = 80;
    o.batch_size = 10;
    o.answers.longest_answer = 30;
    return o;
  }

  static train::TrainOptions course(const fs::path& output, int64_t steps) {
    train::TrainOptions o;
    o.output = output;
    o.max_steps = steps;
    o.schedule.kind = optim::ScheduleKind::kLinear;
    o.schedule.total = steps;
    o.schedule.peak = 3e-3;
    o.schedule.warmup = 20;
    o.clip_norm = 1;
    o.valid_every = o.save_every = 0;
    o.average = 0;
    return o;
  }

  static bool never() { return false; }

  static void run(QuestionAnsweringTraining& task, const train::TrainOptions& course) {
    train::TrainObserver observer;
    train::train(task, course, observer, never);
  }

  testing::TemporaryFolder folder_;
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
  const QuestionAnsweringTraining task(o);
  const auto answerer = [&] {
    QuestionAnsweringTraining made(options());
    run(made, course(folder_ / "m", 1));
    return QuestionAnswerer::load(folder_ / "m");
  }();
  const auto stream = task.batches().stream({0, 0}, 1);
  int with = 0, without = 0;
  for (bool last = false; !last;) {
    const StreamedBatch streamed = stream->next();
    const auto& batch = static_cast<const EncoderBatch&>(*streamed.batch);
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
      const std::string found = answerer.tokenizer->decode(row.subspan(begin, end - begin + 1));
      EXPECT_TRUE(found == "rome" || found == "new york" || found == "oslo" || found == "paris" || found == "zurich")
          << found;
    }
    last = streamed.last_in_epoch;
  }
  EXPECT_GE(with, 20);
  EXPECT_GT(without, 0);
}

TEST_F(QuestionAnsweringTrainingTest, EveryOptionHasAnEffect) {
  const auto first = [](const QuestionAnsweringTrainingOptions& o) {
    const QuestionAnsweringTraining task(o);
    const auto streamed = task.batches().stream({0, 0}, 1)->next();
    return std::pair{task.loss(*streamed.batch, {}, 1).loss_sum, streamed.batch->targets()};
  };
  const auto base = first(options());
  EXPECT_EQ(first(options()), base);
  const std::vector<std::pair<const char*, std::function<void(QuestionAnsweringTrainingOptions&)>>> changes = {
      {"batch-size", [](auto& o) { o.batch_size = 7; }},
      {"max-examples", [](auto& o) { o.max_examples = 7; }},
      {"max-length", [](auto& o) { o.answers.most_tokens = 24; }},
      {"doc-stride", [](auto& o) { o.answers.most_tokens = 24, o.answers.overlap = 3; }},
      {"valid-fraction", [](auto& o) { o.valid.clear(), o.valid_fraction = 0.5; }},
      {"layers", [](auto& o) { o.start.structure.layers = 1; }}};
  for (const auto& [name, change] : changes) {
    QuestionAnsweringTrainingOptions o = options();
    change(o);
    EXPECT_NE(first(o), base) << name;
    EXPECT_NE(QuestionAnsweringTraining(o).identity(), QuestionAnsweringTraining(options()).identity()) << name;
  }
}

TEST_F(QuestionAnsweringTrainingTest, GoesOnBitForBit) {
  QuestionAnsweringTrainingOptions o = options();
  o.start.structure.dropout = 0.1f;
  QuestionAnsweringTraining whole(o), first(o);
  train::TrainOptions steps = course(folder_ / "whole", 12);
  steps.schedule.kind = optim::ScheduleKind::kConstant;
  run(whole, steps);
  steps.output = folder_ / "parts";
  steps.max_steps = 5;
  run(first, steps);
  o.start.resume = folder_ / "parts";
  QuestionAnsweringTraining second(o);
  steps.max_steps = 12;
  steps.resume = true;
  run(second, steps);
  EXPECT_EQ(second.parameters().values().to_vector<float>(), whole.parameters().values().to_vector<float>());
}

TEST_F(QuestionAnsweringTrainingTest, NamesAQuestionThatLeavesNoRoom) {
  const auto reason = [](const std::function<void()>& action) -> std::string {
    try {
      action();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  QuestionAnsweringTrainingOptions o = options();
  QuestionAnsweringTraining task(o);
  run(task, course(folder_ / "m", 1));
  o.answers.most_tokens = 8;
  EXPECT_THAT(reason([&] { const QuestionAnsweringTraining small(o); }),
              ::testing::AllOf(HasSubstr("train.json: question q1: a question of "), HasSubstr("a window has 8")));
  const data::SquadData data = read_questions(file("train.json"), 0);
  EXPECT_THAT(reason([&] { answer_all(QuestionAnswerer::load(folder_ / "m"), data, o.answers); }),
              HasSubstr("train.json: question q1: a question of "));
  o = options();
  o.valid_fraction = 0.5;
  EXPECT_THAT(reason([&] { const QuestionAnsweringTraining both(o); }), HasSubstr("not both"));
}

TEST_F(QuestionAnsweringTrainingTest, CanBeStoppedInValidation) {
  QuestionAnsweringTraining task(options());
  EXPECT_FALSE(task.validate([] { return true; }));
}

}  // namespace
}  // namespace heed::tasks
