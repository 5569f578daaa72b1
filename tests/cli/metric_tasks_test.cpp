// heed metric rouge, entities and classes as processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/run_program.h"
#include "heed/base/files.h"
#include "heed/base/json.h"
#include "shared_files.h"

namespace heed::cli {
namespace {

using heed::testing::run_heed;
using ::testing::HasSubstr;

class MetricTasks : public ::testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) {
    write_file_atomically(folder_ / name, text);
    return folder_ / name;
  }
  heed::testing::TemporaryFolder folder_;
};

TEST_F(MetricTasks, RougeTakesTheBestReference) {
  const auto result = run_heed({"metric", "rouge", "--reference", file("a", "the cat sat\nno match\n"), "--reference",
                                file("b", "dogs\nthe dogs barked\\nloudly\n"), "--input",
                                file("h", "the cats sat\nthe dog barked\\nloudly\n"), "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.error;
  const Json json = parse_json(result.output, "output");
  EXPECT_DOUBLE_EQ(json["rouge1"]["f"], 1);
  EXPECT_DOUBLE_EQ(json["rougeLsum"]["recall"], 1);
  EXPECT_EQ(json["lines"], 2);
  const auto unstemmed =
      run_heed({"metric", "rouge", "--reference", folder_ / "a", "--input", folder_ / "h", "--no-stem"});
  EXPECT_THAT(unstemmed.output, HasSubstr("rouge1     F 33.33"));
  const auto short_file = run_heed({"metric", "rouge", "--reference", file("c", "one\n"), "--input", folder_ / "h"});
  EXPECT_EQ(short_file.exit_code, 4);
  EXPECT_THAT(short_file.error, HasSubstr("1 lines, but 2 summaries"));
}

TEST_F(MetricTasks, EntitiesOfTheLastTwoColumns) {
  const std::string text = "U.N. NNP I-ORG I-ORG\nofficial NN O O\nEkeus NNP I-PER O\n\nBaghdad NNP I-LOC I-LOC\n";
  const auto result = run_heed({"metric", "entities", "--input", file("t", text), "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.error;
  const Json json = parse_json(result.output, "output");
  EXPECT_DOUBLE_EQ(json["precision"], 1);
  EXPECT_DOUBLE_EQ(json["recall"], 2.0 / 3);
  EXPECT_EQ(json["types"]["PER"]["found"], 0);
  EXPECT_THAT(run_heed({"metric", "entities", "--input", folder_ / "t"}).output,
              HasSubstr("processed 4 tokens with 3 phrases; found: 2 phrases; correct: 2."));
  const auto bad = run_heed({"metric", "entities", "--input", file("bad", "a O O\nword\n")});
  EXPECT_EQ(bad.exit_code, 4);
  EXPECT_THAT(bad.error, HasSubstr("bad:2: expected at least two columns"));
}

TEST_F(MetricTasks, ClassesByName) {
  const auto result = run_heed({"metric", "classes", "--reference", file("e", "good\nbad\ngood\nbad\n"), "--input",
                                file("f", "good\nbad\nbad\nbad\n"), "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.error;
  const Json json = parse_json(result.output, "output");
  EXPECT_DOUBLE_EQ(json["accuracy"], 0.75);
  EXPECT_NEAR(json["macro_f1"].get<double>(), (2.0 / 3 + 0.8) / 2, 1e-12);
}

}  // namespace
}  // namespace heed::cli
