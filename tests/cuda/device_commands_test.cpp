// --device of every command that only runs a model: what it writes is the same on a GPU.
#include "cli/model_commands.h"
#include "cuda/cuda_library.h"

namespace heed::cli {
namespace {

using namespace heed::testing;

// Equal, numbers that are no whole ones but for the order of sums.
void expect_alike(const Json& actual, const Json& expected, const std::string& where) {
  if (expected.is_number_float()) {
    ASSERT_TRUE(actual.is_number()) << where;
    const double number = expected.get<double>();
    EXPECT_NEAR(actual.get<double>(), number, 1e-4 * (1 + std::abs(number))) << where;
  } else if (expected.is_structured()) {
    ASSERT_EQ(actual.size(), expected.size()) << where;
    for (const auto& [key, value] : expected.items()) {
      const bool there = expected.is_array() || actual.contains(key);
      ASSERT_TRUE(there) << where << "." << key;
      expect_alike(expected.is_array() ? actual.at(std::stoul(key)) : actual.at(key), value, where + "." + key);
    }
  } else {
    EXPECT_EQ(actual, expected) << where;
  }
}

class DeviceCommands : public ModelCommands {};

TEST_P(DeviceCommands, WriteTheSameOnAGpu) {
  HEED_NEEDS_SHARED("goldens/" + GetParam().model);
  const ProgramInput gpu{.environment = {{"HEED_CUDA_LIBRARY", cuda_library()}}};
  const std::vector<Json> expected = results({"--device", "cpu"}), actual = results({"--device", "cuda"}, gpu);
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) expect_alike(actual[i], expected[i], fmt::format("line {}", i + 1));
  // In bf16 and f16 it runs; how near it is, the products' own tests say.
  for (const char* dtype : {"bf16", "f16"})
    EXPECT_EQ(results({"--device", "cuda", "--dtype", dtype}, gpu).size(), expected.size()) << dtype;
}

INSTANTIATE_TEST_SUITE_P(Commands, DeviceCommands, model_commands(), name_of_command);

}  // namespace
}  // namespace heed::cli
