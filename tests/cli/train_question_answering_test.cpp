// heed train question-answering and heed evaluate question-answering as processes: twenty questions learned by heart,
// the file of answers, what is refused, going on after a stop.
#include "cli/program_fixture.h"
#include "heed/metrics/squad.h"

namespace heed::cli {
namespace {

using namespace heed::testing;

class TrainQuestionAnswering : public ProgramTest {
 protected:
  // Five contexts of four people each, a question about each of them. One of the places goes over a line's end.
  static Json questions() {
    static constexpr const char* kPeople[] = {"Ann", "Bob", "Carl", "Dora", "Eve"};
    static constexpr const char* kPlaces[] = {"Rome", "New\nYork", "Oslo", "Paris", "Bern"};
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

  Arguments training(const std::string& output, const Arguments& more = {}) const {
    const Arguments arguments{"train",           "question-answering",
                              "--train",         file("train.json", questions().dump()),
                              "--valid",         path("train.json"),
                              "--layers",        "2",
                              "--d-model",       "32",
                              "--heads",         "2",
                              "--ffn",           "64",
                              "--positions",     "64",
                              "--dropout",       "0",
                              "--learning-rate", "4e-3",
                              "--batch-size",    "10",
                              "--vocab-size",    "80",
                              "--threads",       "1",
                              "--output",        path(output)};
    return with_more(arguments, more);
  }
};

TEST_F(TrainQuestionAnswering, LearnsTwentyQuestionsByHeart) {
  const Json summary = run_json(training("model", {"--max-epochs", "200", "--valid-every", "50"}));
  const Json scores = run_json({"evaluate", "question-answering", "--model", path("model"), "--data",
                                path("train.json"), "--predictions", path("answers.json")});
  EXPECT_GE(scores["f1"].get<double>(), 95);
  EXPECT_EQ(scores["questions"], 20);
  EXPECT_EQ(summary["best"]["f1"], scores["f1"]);
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
  // They stand there as in the context, which scores do not tell.
  int over_two_lines = 0;
  for (const auto& [id, text] : answers.items()) over_two_lines += text == "New\nYork";
  EXPECT_GT(over_two_lines, 0) << answers;
  const auto answer = run_well({"answer", "--model", path("model"), "--question", "Where does Bob live?", "--context",
                                "Ann lives in Rome. Bob lives in New York. Carl lives in Oslo. Dora lives in Paris. "});
  EXPECT_THAT(answer.output, ::testing::StartsWith("New York"));
  // On the screen an answer is a line.
  const Json asked{{"question", "Where does Bob live?"}, {"context", all["data"][0]["paragraphs"][0]["context"]}};
  const auto lines = lines_of(
      run_well({"answer", "--model", path("model")}, {.text = asked.dump() + "\n" + asked.dump() + "\n"}).output);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[0], ::testing::StartsWith("New\\nYork\t"));
}

TEST_F(TrainQuestionAnswering, GoesOnAsIfItHadNotStopped) {
  const Arguments constant{"--schedule", "constant", "--warmup", "3", "--max-length", "32", "--doc-stride", "8"};
  expect_goes_on_bit_for_bit([&](const std::string& output) { return training(output, constant); }, 7, 15);
}

TEST_F(TrainQuestionAnswering, NamesWhatIsWrong) {
  const auto fails = [&](const std::string& name, const std::string& text, const std::string& message) {
    run_refused({"train", "question-answering", "--train", file(name, text), "--layers", "1", "--d-model", "32",
                 "--output", path("bad")},
                4, message);
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
