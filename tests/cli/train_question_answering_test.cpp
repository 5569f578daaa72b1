// heed train question-answering and heed evaluate question-answering as processes: twenty questions learned by heart,
// the file of answers, what is refused, going on after a stop.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "cli/run_program.h"
#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/json.h"
#include "heed/metrics/squad.h"
#include "shared_files.h"

namespace heed::cli {
namespace {

using heed::testing::run_heed;
using ::testing::HasSubstr;

class TrainQuestionAnswering : public ::testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  std::string path(const std::string& name) const { return folder_ / name; }

  // Five contexts of four people each, a question about each of them.
  static Json questions() {
    static constexpr const char* kPeople[] = {"Ann", "Bob", "Carl", "Dora", "Eve"};
    static constexpr const char* kPlaces[] = {"Rome", "New York", "Oslo", "Paris", "Bern"};
    Json paragraphs = Json::array();
    for (size_t first = 0; first < 5; ++first) {
      std::string context;
      Json list = Json::array();
      for (size_t i = 0; i < 4; ++i) {
        const std::string who = kPeople[(first + i) % 5], where = kPlaces[(2 * first + i) % 5];
        context += fmt::format("{} lives in {}. ", who, where);
        list.push_back({{"id", fmt::format("{}-{}", first, i)},
                        {"question", fmt::format("Where does {} live?", who)},
                        {"answers", {{{"text", where}, {"answer_start", context.size() - where.size() - 2}}}}});
      }
      paragraphs.push_back({{"context", context}, {"qas", list}});
    }
    return {{"data", {{{"title", "t"}, {"paragraphs", paragraphs}}}}};
  }

  std::vector<std::string> training(const std::string& output, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{"train",           "question-answering",
                                       "--train",         file("train.json", questions().dump()),
                                       "--valid",         path("train.json"),
                                       "--layers",        "2",
                                       "--d-model",       "32",
                                       "--heads",         "2",
                                       "--ffn",           "64",
                                       "--positions",     "64",
                                       "--dropout",       "0",
                                       "--learning-rate", "5e-3",
                                       "--batch-size",    "10",
                                       "--vocab-size",    "80",
                                       "--threads",       "1",
                                       "--output",        path(output)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  heed::testing::TemporaryFolder folder_;
};

TEST_F(TrainQuestionAnswering, LearnsTwentyQuestionsByHeart) {
  const auto trained = run_heed(training("model", {"--max-epochs", "150", "--valid-every", "50", "--json"}));
  ASSERT_EQ(trained.exit_code, 0) << trained.error;
  const auto evaluated = run_heed({"evaluate", "question-answering", "--model", path("model"), "--data",
                                   path("train.json"), "--predictions", path("answers.json"), "--json"});
  ASSERT_EQ(evaluated.exit_code, 0) << evaluated.error;
  const Json scores = parse_json(evaluated.output, "output");
  EXPECT_GE(scores["f1"].get<double>(), 95);
  EXPECT_EQ(scores["questions"], 20);
  EXPECT_EQ(parse_json(trained.output, "output")["best"]["f1"], scores["f1"]);
  // The answers by id, as the official script reads them, have that score.
  const Json answers = read_json(path("answers.json"));
  double exact = 0;
  const Json all = questions();
  for (const Json& paragraph : all["data"][0]["paragraphs"])
    for (const Json& question : paragraph["qas"]) {
      const std::vector<std::string> expected{question["answers"][0]["text"].get<std::string>()};
      exact += metrics::score_answer(answers[question["id"].get<std::string>()].get<std::string>(), expected).exact;
    }
  EXPECT_EQ(100 * exact / 20, scores["exact"].get<double>());
  const auto answer = run_heed({"answer", "--model", path("model"), "--question", "Where does Bob live?", "--context",
                                "Ann lives in Rome. Bob lives in New York. Carl lives in Oslo. Dora lives in Paris. "});
  EXPECT_THAT(answer.output, ::testing::StartsWith("New York"));
}

TEST_F(TrainQuestionAnswering, GoesOnAsIfItHadNotStopped) {
  const auto with = [](const char* steps, std::vector<std::string> more) {
    more.insert(more.end(), {"--schedule", "constant", "--warmup", "3", "--max-length", "32", "--doc-stride", "8",
                             "--max-steps", steps});
    return more;
  };
  ASSERT_EQ(run_heed(training("parts", with("7", {}))).exit_code, 0);
  const auto resumed = run_heed(training("parts", with("15", {"--resume"})));
  ASSERT_EQ(resumed.exit_code, 0) << resumed.error;
  ASSERT_EQ(run_heed(training("unbroken", with("15", {}))).exit_code, 0);
  EXPECT_EQ(read_file(path("parts/checkpoints/step-000015/model.safetensors")),
            read_file(path("unbroken/checkpoints/step-000015/model.safetensors")));
}

TEST_F(TrainQuestionAnswering, NamesWhatIsWrong) {
  const auto fails = [&](const std::string& name, const std::string& text, const std::string& message) {
    const auto result = run_heed({"train", "question-answering", "--train", file(name, text), "--layers", "1",
                                  "--d-model", "32", "--output", path("bad")});
    EXPECT_EQ(result.exit_code, 4) << name << ": " << result.error;
    EXPECT_THAT(result.error, HasSubstr(message)) << name;
    EXPECT_FALSE(std::filesystem::exists(path("bad")));
  };
  fails("empty.json", "", "empty.json");
  fails("broken.json", "{\"data\": [", "broken.json");
  Json moved = questions();
  moved["data"][0]["paragraphs"][1]["qas"][2]["answers"][0]["answer_start"] = 3;
  fails("moved.json", moved.dump(), "does not stand at character 3");
}

}  // namespace
}  // namespace heed::cli
