// heed metric rouge, entities and classes as processes.
#include "cli/program_fixture.h"

namespace heed::cli {
namespace {

using namespace heed::testing;
using ::testing::HasSubstr;

using MetricTasks = ProgramTest;

TEST_F(MetricTasks, RougeTakesTheBestReference) {
  const Json json = run_json({"metric", "rouge", "--reference", file("a", "the cat sat\nno match\n"), "--reference",
                              file("b", "dogs\nthe dogs barked\\nloudly\n"), "--input",
                              file("h", "the cats sat\nthe dog barked\\nloudly\n")});
  EXPECT_DOUBLE_EQ(json["rouge1"]["f"], 1);
  EXPECT_DOUBLE_EQ(json["rougeLsum"]["recall"], 1);
  EXPECT_EQ(json["lines"], 2);
  const auto unstemmed = run_well({"metric", "rouge", "--reference", path("a"), "--input", path("h"), "--no-stem"});
  EXPECT_THAT(unstemmed.output, HasSubstr("rouge1     F 33.33"));
  run_refused({"metric", "rouge", "--reference", file("c", "one\n"), "--input", path("h")}, 4,
              "1 lines, but 2 summaries");
}

TEST_F(MetricTasks, EntitiesOfTheLastTwoColumns) {
  const std::string text = "U.N. NNP I-ORG I-ORG\nofficial NN O O\nEkeus NNP I-PER O\n\nBaghdad NNP I-LOC I-LOC\n";
  const Json json = run_json({"metric", "entities", "--input", file("t", text)});
  EXPECT_DOUBLE_EQ(json["precision"], 1);
  EXPECT_DOUBLE_EQ(json["recall"], 2.0 / 3);
  EXPECT_EQ(json["types"]["PER"]["found"], 0);
  EXPECT_THAT(run_well({"metric", "entities", "--input", path("t")}).output,
              HasSubstr("processed 4 tokens with 3 phrases; found: 2 phrases; correct: 2."));
  run_refused({"metric", "entities", "--input", file("bad", "a O O\nword\n")}, 4,
              "bad:2: expected at least two columns");
  run_refused({"metric", "entities", "--input", file("ragged", "a O O\nb O\n")}, 4,
              "ragged:2: 2 columns, where the lines before have 3");
  for (const Arguments& metric : {Arguments{"metric", "entities"},
                                  {"metric", "rouge", "--reference", file("none", "")},
                                  {"metric", "classes", "--reference", path("none")}})
    run_refused(with_more(metric, {"--input", path("none")}), 4, "none: there is no ");
}

TEST_F(MetricTasks, ClassesByName) {
  const Json json = run_json({"metric", "classes", "--reference", file("e", "good\nbad\ngood\nbad\n"), "--input",
                              file("f", "good\nbad\nbad\nbad\n")});
  EXPECT_DOUBLE_EQ(json["accuracy"], 0.75);
  EXPECT_NEAR(json["macro_f1"].get<double>(), (2.0 / 3 + 0.8) / 2, 1e-12);
}

}  // namespace
}  // namespace heed::cli
