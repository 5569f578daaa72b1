// heed train summarization, evaluate summarization and summarize as processes, one after the other.
#include "cli/program_fixture.h"

namespace heed::cli {
namespace {

using namespace heed::testing;
using ::testing::HasSubstr;

using TrainSummarization = ProgramTest;

TEST_F(TrainSummarization, TrainsScoresBesideTheLeadAndSummarizes) {
  std::string examples;
  const char* things[] = {"dog", "cat", "boat", "house"};
  for (int i = 0; i < 400; ++i) {
    const std::string document =
        fmt::format("Look at the {0} number {1}. It is here. The {0} again.", things[i % 4], i / 4 % 9);
    examples += Json{{"document", document}, {"summary", fmt::format("about the {}", things[i % 4])}}.dump() + "\n";
  }
  const std::string data = file("train.jsonl", examples);
  const auto trained = run_well({"train",
                                 "summarization",
                                 "--train",
                                 data,
                                 "--valid-fraction",
                                 "0.05",
                                 "--family",
                                 "t5",
                                 "--layers",
                                 "1",
                                 "--d-model",
                                 "32",
                                 "--heads",
                                 "2",
                                 "--vocab-size",
                                 "60",
                                 "--dropout",
                                 "0",
                                 "--max-steps",
                                 "200",
                                 "--learning-rate",
                                 "0.01",
                                 "--batch-tokens",
                                 "600",
                                 "--max-target-length",
                                 "12",
                                 "--threads",
                                 "1",
                                 "--output",
                                 path("model"),
                                 "--json"});
  EXPECT_THAT(trained.error, HasSubstr("380 examples"));
  EXPECT_GT(parse_json(trained.output, "output")["best"]["rougeL"].get<double>(), 95);

  const Json scores = run_json({"evaluate", "summarization", "--model", path("model"), "--data", data, "--beam", "2",
                                "--predictions", path("summaries.txt")});
  EXPECT_GT(scores["rougeL"].get<double>(), 95);
  EXPECT_EQ(scores["examples"], 400);
  // "look at the dog number 3" and "about the dog" share two words, of six and of three.
  EXPECT_NEAR(scores["lead"]["rouge1"].get<double>(), 100 * 2 * (2.0 / 6) * (2.0 / 3) / (2.0 / 6 + 2.0 / 3), 0.01);
  EXPECT_THAT(read_file(path("summaries.txt")), ::testing::StartsWith("about the dog\nabout the cat\n"));

  const auto summary = run_well({"summarize", "--model", path("model")},
                                {.text = "Look at the boat number 2. It is here. The boat again.\n"});
  EXPECT_EQ(summary.output, "about the boat\n");

  // A printed configuration names the batch's default size, which is no choice against --memory-limit.
  const auto printed = run_well({"train", "summarization", "--init", path("model"), "--train", data, "--max-steps", "1",
                                 "--output", path("fitted"), "--print-config"});
  const std::string config = file("config.yaml", printed.output);
  const auto fitted = run_well({"train", "summarization", "--config", config, "--memory-limit", "1GB"});
  EXPECT_THAT(fitted.error, HasSubstr("--batch-tokens"));

  run_refused({"evaluate", "summarization", "--model", path("model"), "--data",
               file("bad.jsonl", "{\"document\": \"a\", \"summary\": \"b\"}\n{\"document\": \"c\"}\n")},
              4, "bad.jsonl:2");
}

}  // namespace
}  // namespace heed::cli
