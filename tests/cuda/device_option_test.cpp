// --device as a user meets it: trained on both devices alike, resumed to the byte, and refused where there is no GPU.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

#include "cli/run_program.h"
#include "cuda/cuda_library.h"
#include "heed/base/files.h"
#include "heed/io/safetensors.h"
#include "shared_files.h"

namespace heed::cli {
namespace {

using heed::testing::ProgramResult;
using heed::testing::run_heed;
using ::testing::HasSubstr;

ProgramResult run_on_gpu(const std::vector<std::string>& arguments, const std::string& text = {}) {
  return run_heed(arguments, {.text = text, .environment = {{"HEED_CUDA_LIBRARY", heed::testing::cuda_library()}}});
}

class DeviceOption : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string source, target;
    for (int i = 0; i < 40; ++i) {
      source += fmt::format("the {} cats see {} dogs\n", i, 7 * i);
      target += fmt::format("die {} katzen sehen {} hunde\n", i, 7 * i);
    }
    write_file_atomically(folder_ / "train.en", source);
    write_file_atomically(folder_ / "train.de", target);
  }

  void train(const std::string& output, const std::vector<std::string>& options) const {
    std::vector<std::string> arguments = {"train",          "translation",
                                          "--source",       folder_ / "train.en",
                                          "--target",       folder_ / "train.de",
                                          "--output",       folder_ / output,
                                          "--layers",       "1",
                                          "--d-model",      "32",
                                          "--ffn",          "32",
                                          "--heads",        "2",
                                          "--vocab-size",   "60",
                                          "--batch-tokens", "100",
                                          "--dropout",      "0.1",
                                          "--dtype",        "f32"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const auto result = run_on_gpu(arguments);
    ASSERT_EQ(result.exit_code, 0) << result.error;
  }
  std::string weights(const std::string& model) const { return read_file(folder_ / model / "model.safetensors"); }

  void expect_alike(const std::string& one, const std::string& other) const {
    const auto a = io::SafeTensors::open(folder_ / one / "model.safetensors");
    const auto b = io::SafeTensors::open(folder_ / other / "model.safetensors");
    for (const std::string& name : a.names()) {
      const TensorView x = a.view(name), y = b.view(name);
      ASSERT_EQ(x.shape.numel(), y.shape.numel()) << name;
      for (int64_t i = 0; i < x.shape.numel(); ++i)
        ASSERT_NEAR(x.as<float>()[i], y.as<float>()[i], 2e-4) << name << " " << i;
    }
  }

  heed::testing::TemporaryFolder folder_;
};

TEST_F(DeviceOption, TrainsAlikeAndResumesToTheByte) {
  const std::vector<std::string> common{"--average", "2", "--snapshot-every", "2"};
  const auto with = [&](std::vector<std::string> options) {
    options.insert(options.end(), common.begin(), common.end());
    return options;
  };
  train("cpu", with({"--max-steps", "4"}));
  train("gpu", with({"--max-steps", "4", "--device", "cuda"}));
  train("parts", with({"--max-steps", "2", "--device", "cuda"}));
  train("parts", with({"--max-steps", "4", "--device", "cuda", "--resume"}));
  EXPECT_EQ(weights("parts"), weights("gpu"));

  expect_alike("cpu", "gpu");

  const auto translate = [&](const std::string& device) {
    return run_on_gpu({"translate", "--model", folder_ / "gpu", "--device", device, "--beam", "2", "--quiet"},
                      "the 3 cats see 21 dogs\nthe 9 cats\n");
  };
  const auto on_cpu = translate("cpu"), on_gpu = translate("cuda");
  EXPECT_EQ(on_gpu.exit_code, 0) << on_gpu.error;
  EXPECT_EQ(on_gpu.output, on_cpu.output);
}

TEST_F(DeviceOption, MuonTrainsAlike) {
  for (const char* device : {"cpu", "cuda"})
    train(device, {"--max-steps", "4", "--average", "0", "--optimizer", "muon", "--device", device});
  expect_alike("cpu", "cuda");
}

TEST_F(DeviceOption, MovingAverageAndBf16) {
  train("m", {"--max-steps", "2", "--device", "cuda", "--ema", "0.9", "--average", "0", "--dtype", "bf16"});
  EXPECT_FALSE(weights("m").empty());
}

// The same log-probabilities with matrices in bf16, but for what rounding costs.
TEST_F(DeviceOption, RunsWithMatricesInBf16) {
  train("m", {"--max-steps", "4", "--average", "0"});
  const auto scores = [&](const std::string& device, const std::string& dtype) {
    const auto result = run_on_gpu({"score", "--model", folder_ / "m", "--source", folder_ / "train.en", "--target",
                                    folder_ / "train.de", "--device", device, "--dtype", dtype});
    EXPECT_EQ(result.exit_code, 0) << result.error;
    std::vector<double> numbers;
    std::istringstream lines(result.output);
    for (double number = 0; lines >> number;) numbers.push_back(number);
    return numbers;
  };
  const std::vector<double> exact = scores("cpu", "f32"), wide = scores("cuda", "f32"), narrow = scores("cuda", "bf16");
  ASSERT_EQ(exact.size(), 40u);
  ASSERT_EQ(wide.size(), exact.size());
  ASSERT_EQ(narrow.size(), exact.size());
  for (size_t i = 0; i < exact.size(); ++i) {
    EXPECT_NEAR(wide[i], exact[i], 1e-4 * std::abs(exact[i]));
    EXPECT_NEAR(narrow[i], exact[i], 1e-2 * std::abs(exact[i]));
  }
  EXPECT_NE(narrow, wide);
}

TEST_F(DeviceOption, SaysWhatIsMissing) {
  const auto without = [](const std::vector<std::string>& arguments) {
    return run_heed(arguments, {.environment = {{"HEED_CUDA_LIBRARY", "/nowhere/libheed_cuda.so"}}});
  };
  const auto refused = without({"translate", "--model", "m", "--device", "cuda"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.error, HasSubstr("/nowhere/libheed_cuda.so"));
  const auto listed = without({"info", "--devices"});
  EXPECT_EQ(listed.exit_code, 0);
  EXPECT_THAT(listed.output, HasSubstr("no GPU"));
  EXPECT_EQ(run_heed({"translate", "--model", "m", "--device", "gpu"}).exit_code, 2);
  EXPECT_THAT(run_on_gpu({"translate", "--model", "m", "--device", "cuda:3"}).error, HasSubstr("there is no GPU 3"));
  const auto limited = run_on_gpu({"train", "translation", "--source", folder_ / "train.en", "--target",
                                   folder_ / "train.de", "--output", folder_ / "limited", "--max-steps", "1",
                                   "--vocab-size", "60", "--memory-limit", "1GB", "--device", "cuda"});
  EXPECT_EQ(limited.exit_code, 2) << limited.error;
  EXPECT_THAT(limited.error, HasSubstr("--memory-limit measures the process and not a GPU"));
  EXPECT_THAT(run_on_gpu({"info", "--devices"}).output, HasSubstr("cuda:0"));
  EXPECT_EQ(run_heed({"info"}).exit_code, 2);
}

}  // namespace
}  // namespace heed::cli
