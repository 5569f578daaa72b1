// heed attention and heed score: lines that are longer than the model's positions.
#include "cli/program_fixture.h"

namespace heed::cli {
namespace {

using namespace heed::testing;
using ::testing::HasSubstr;

constexpr const char* kModel = "models/marian-multi30k-en-de";

class LongLines : public ProgramTest {
 protected:
  void SetUp() override {
    HEED_NEEDS_SHARED(kModel);
    for (int i = 0; i < 400; ++i) long_line_ += "dog ";
  }
  std::string model_ = shared_path(kModel), long_line_;
};

TEST_F(LongLines, AttentionIsToWhatIsLeft) {
  const auto lines =
      run_json_lines({"attention", "--model", model_}, {.text = "A dog runs.\n" + long_line_ + "\nA dog runs.\n"});
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0], lines[2]);
  EXPECT_EQ(lines[1]["source"].size(), 256u);
  EXPECT_EQ(lines[1]["weights"][0].size(), 256u);
  run_refused({"attention", "--model", model_, "--target", long_line_}, 4, "where the model has 256 positions",
              {.text = "A dog.\n"});
}

TEST_F(LongLines, ScoresNameThem) {
  run_refused({"score", "--model", model_, "--source", file("a", "A dog.\n" + long_line_ + "\n"), "--target",
               file("b", "Ein Hund.\nEin Hund.\n")},
              4, "line 2: a source of 40");
}

TEST_F(LongLines, AMissingReferenceIsFoundBeforeAnythingIsTranslated) {
  run_refused({"evaluate", "translation", "--model", model_, "--source", file("s", "A dog.\nA cat.\n"), "--reference",
               file("r", "Ein Hund.\n")},
              4, "r: 1 lines, where ");
  run_refused({"evaluate", "translation", "--model", model_, "--source", path("s"), "--reference", path("s"),
               "--n-best", "2", "--beam", "2"},
              2, "one output of each text is scored");
}

}  // namespace
}  // namespace heed::cli
