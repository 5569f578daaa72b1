// heed train summarization, evaluate summarization and summarize as processes, one after the other.
#include <gmock/gmock.h>

#include <fstream>

#include "cli/run_program.h"
#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/json.h"
#include "shared_files.h"

namespace heed::cli {
namespace {

using heed::testing::run_heed;
using ::testing::HasSubstr;

TEST(TrainSummarization, TrainsScoresBesideTheLeadAndSummarizes) {
  const testing::TemporaryFolder folder;
  const auto path = [&](const std::string& name) { return (folder / name).string(); };
  {
    std::ofstream out(folder / "train.jsonl");
    const char* things[] = {"dog", "cat", "boat", "house"};
    for (int i = 0; i < 400; ++i) {
      const std::string document =
          fmt::format("Look at the {0} number {1}. It is here. The {0} again.", things[i % 4], i / 4 % 9);
      out << Json{{"document", document}, {"summary", fmt::format("about the {}", things[i % 4])}}.dump() << '\n';
    }
  }
  const auto trained = run_heed({"train",
                                 "summarization",
                                 "--train",
                                 path("train.jsonl"),
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
  ASSERT_EQ(trained.exit_code, 0) << trained.error;
  EXPECT_THAT(trained.error, HasSubstr("380 examples"));
  EXPECT_GT(parse_json(trained.output, "output")["best"]["rougeL"].get<double>(), 95);

  const auto scored = run_heed({"evaluate", "summarization", "--model", path("model"), "--data", path("train.jsonl"),
                                "--beam", "2", "--predictions", path("summaries.txt"), "--json"});
  ASSERT_EQ(scored.exit_code, 0) << scored.error;
  const Json scores = parse_json(scored.output, "output");
  EXPECT_GT(scores["rougeL"].get<double>(), 95);
  EXPECT_EQ(scores["examples"], 400);
  // "look at the dog number 3" and "about the dog" share two words, of six and of three.
  EXPECT_NEAR(scores["lead"]["rouge1"].get<double>(), 100 * 2 * (2.0 / 6) * (2.0 / 3) / (2.0 / 6 + 2.0 / 3), 0.01);
  EXPECT_THAT(read_file(folder / "summaries.txt"), ::testing::StartsWith("about the dog\nabout the cat\n"));

  const auto summary = run_heed({"summarize", "--model", path("model")},
                                {.text = "Look at the boat number 2. It is here. The boat again.\n"});
  ASSERT_EQ(summary.exit_code, 0) << summary.error;
  EXPECT_EQ(summary.output, "about the boat\n");

  // A printed configuration names the batch's default size, which is no choice against --memory-limit.
  const auto printed = run_heed({"train", "summarization", "--init", path("model"), "--train", path("train.jsonl"),
                                 "--max-steps", "1", "--output", path("fitted"), "--print-config"});
  ASSERT_EQ(printed.exit_code, 0) << printed.error;
  write_file_atomically(folder / "config.yaml", printed.output);
  const auto fitted = run_heed({"train", "summarization", "--config", path("config.yaml"), "--memory-limit", "1GB"});
  ASSERT_EQ(fitted.exit_code, 0) << fitted.error;
  EXPECT_THAT(fitted.error, HasSubstr("--batch-tokens"));

  std::ofstream(folder / "bad.jsonl") << R"({"document": "a", "summary": "b"})"
                                      << "\n{\"document\": \"c\"}\n";
  const auto bad = run_heed({"evaluate", "summarization", "--model", path("model"), "--data", path("bad.jsonl")});
  EXPECT_EQ(bad.exit_code, 4);
  EXPECT_THAT(bad.error, HasSubstr("bad.jsonl:2"));
}

}  // namespace
}  // namespace heed::cli
