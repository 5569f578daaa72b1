// heed classify-image as a process.
#include "cli/program_fixture.h"

namespace heed::cli {
namespace {

using namespace heed::testing;
using ::testing::HasSubstr;

class ClassifyImage : public ProgramTest {
 protected:
  ClassifyImage() {
    std::filesystem::copy(source_path("tests/golden/models/vit_no_qkv_bias"), folder_ / "m");
    write_json(folder_ / "m/preprocessor_config.json", read_json(image("classified.json"))["config"]);
    std::filesystem::create_directory(folder_ / "photos");
    for (const char* name : {"rgb.png", "cmyk.jpg"}) std::filesystem::copy(image(name), folder_ / "photos");
  }
  static std::string image(const std::string& name) { return source_path("tests/golden/images") / name; }
  Arguments arguments(const Arguments& more) const { return with_more({"classify-image", "--model", path("m")}, more); }
};

TEST_F(ClassifyImage, TextIsFileLabelScore) {
  const auto result = run_well(arguments({image("rgb.png"), path("photos")}));
  const auto out = lines_of(result.output);
  ASSERT_EQ(out.size(), 3u);
  EXPECT_EQ(out[0], image("rgb.png") + "\tL2\t0.8661");
  EXPECT_TRUE(out[1].starts_with(path("photos/cmyk.jpg") + "\t")) << out[1];
  EXPECT_EQ(out[2], path("photos/rgb.png") + "\tL2\t0.8661");
  EXPECT_THAT(result.error, HasSubstr("3 images in "));
}

TEST_F(ClassifyImage, JsonOfNamesOnStandardInput) {
  const std::string names = image("wide.png") + "\n\n" + image("rgb.png") + "\n";
  const auto out = run_json_lines(arguments({"--top-k", "9", "--batch-size", "1"}), {.text = names});
  ASSERT_EQ(out.size(), 2u);
  const Json& first = out[1];
  EXPECT_EQ(first["file"], image("rgb.png"));
  ASSERT_EQ(first["labels"].size(), 4u);
  EXPECT_EQ(first["labels"][0]["label"], "L2");
  EXPECT_EQ(first["labels"][0]["id"], 2);
  EXPECT_NEAR(first["labels"][0]["score"].get<double>(), 0.8660804, 2e-5);
}

TEST_F(ClassifyImage, BadImages) {
  const std::string bad = image("cut_off.png"), good = image("rgb.png");
  const auto refused = run_refused(arguments({good, bad, good}), 4, "cut_off.png");
  EXPECT_EQ(lines_of(refused.output).size(), 1u);

  const auto result = run_well(arguments({"--skip-bad", "--json", good, bad, good}));
  const auto out = json_lines(result.output);
  ASSERT_EQ(out.size(), 3u);
  EXPECT_THAT(out[1]["error"].get<std::string>(), HasSubstr("cut_off.png"));
  EXPECT_THAT(result.error, HasSubstr("2 images (1 bad ones skipped)"));
  EXPECT_EQ(lines_of(run_well(arguments({"--skip-bad", good, bad, good})).output).size(), 2u);

  EXPECT_EQ(run_heed(arguments({"absent.png"})).exit_code, 4);
  EXPECT_EQ(run_heed(arguments({"--top-k", "0", good})).exit_code, 2);
}

}  // namespace
}  // namespace heed::cli
