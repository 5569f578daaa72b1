// heed classify-image as a process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "cli/run_program.h"
#include "heed/base/json.h"
#include "shared_files.h"

namespace heed::cli {
namespace {

using heed::testing::run_heed;
using ::testing::HasSubstr;

class ClassifyImage : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::copy(testing::source_path("tests/golden/models/vit_no_qkv_bias"), folder_ / "m");
    write_json(folder_ / "m/preprocessor_config.json", read_json(image("classified.json"))["config"]);
    std::filesystem::create_directory(folder_ / "photos");
    for (const char* name : {"rgb.png", "cmyk.jpg"}) std::filesystem::copy(image(name), folder_ / "photos");
  }
  static std::filesystem::path image(const std::string& name) {
    return testing::source_path("tests/golden/images") / name;
  }
  std::vector<std::string> arguments(const std::vector<std::string>& more) const {
    std::vector<std::string> all = {"classify-image", "--model", (folder_ / "m").string()};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  testing::TemporaryFolder folder_;
};

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> result;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) result.push_back(line);
  return result;
}

TEST_F(ClassifyImage, TextIsFileLabelScore) {
  const auto result = run_heed(arguments({image("rgb.png").string(), (folder_ / "photos").string()}));
  ASSERT_EQ(result.exit_code, 0) << result.error;
  const auto out = lines(result.output);
  ASSERT_EQ(out.size(), 3u);
  EXPECT_EQ(out[0], image("rgb.png").string() + "\tL2\t0.8661");
  EXPECT_TRUE(out[1].starts_with((folder_ / "photos/cmyk.jpg").string() + "\t")) << out[1];
  EXPECT_EQ(out[2], (folder_ / "photos/rgb.png").string() + "\tL2\t0.8661");
  EXPECT_THAT(result.error, HasSubstr("3 images in "));
}

TEST_F(ClassifyImage, JsonOfNamesOnStandardInput) {
  const std::string names = image("wide.png").string() + "\n\n" + image("rgb.png").string() + "\n";
  const auto result = run_heed(arguments({"--json", "--top-k", "9", "--batch-size", "1"}), {.text = names});
  ASSERT_EQ(result.exit_code, 0) << result.error;
  const auto out = lines(result.output);
  ASSERT_EQ(out.size(), 2u);
  const Json first = parse_json(out[1], "line");
  EXPECT_EQ(first["file"], image("rgb.png").string());
  ASSERT_EQ(first["labels"].size(), 4u);
  EXPECT_EQ(first["labels"][0]["label"], "L2");
  EXPECT_EQ(first["labels"][0]["id"], 2);
  EXPECT_NEAR(first["labels"][0]["score"].get<double>(), 0.8660804, 2e-5);
}

TEST_F(ClassifyImage, BadImages) {
  const std::string bad = image("cut_off.png").string(), good = image("rgb.png").string();
  auto result = run_heed(arguments({good, bad, good}));
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_EQ(lines(result.output).size(), 1u);
  EXPECT_THAT(result.error, HasSubstr("cut_off.png"));

  result = run_heed(arguments({"--skip-bad", "--json", good, bad, good}));
  EXPECT_EQ(result.exit_code, 0);
  const auto out = lines(result.output);
  ASSERT_EQ(out.size(), 3u);
  EXPECT_THAT(parse_json(out[1], "line")["error"].get<std::string>(), HasSubstr("cut_off.png"));
  EXPECT_THAT(result.error, HasSubstr("2 images (1 bad ones skipped)"));
  EXPECT_EQ(lines(run_heed(arguments({"--skip-bad", good, bad, good})).output).size(), 2u);

  EXPECT_EQ(run_heed(arguments({"absent.png"})).exit_code, 1);
  EXPECT_EQ(run_heed(arguments({"--top-k", "0", good})).exit_code, 2);
}

}  // namespace
}  // namespace heed::cli
