// Every golden of our own for a decoder alone (tools/record_goldens): what the shared ones do not cover, such as rotary
// variants, one key head, untied and biased weights, half-precision and sharded files, old names.
#include "models/causal_golden.h"

namespace heed {
namespace {

std::vector<std::string> folders() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(testing::source_path("tests/golden/models"))) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("gpt2_") || name.starts_with("llama_")) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

class OwnCausalGolden : public ::testing::TestWithParam<std::string> {
 protected:
  const std::filesystem::path folder_ = testing::source_path("tests/golden/models/" + GetParam());
  const testing::CausalGolden golden_{folder_};
};

TEST_P(OwnCausalGolden, HiddenStatesAttentionsAndLogits) { golden_.outputs(); }
TEST_P(OwnCausalGolden, GeneratedIds) { golden_.generation(); }
TEST_P(OwnCausalGolden, LossAndGradients) {
  if (std::filesystem::exists(folder_ / "grads.safetensors")) golden_.loss_and_gradients();
}
TEST_P(OwnCausalGolden, Training) {
  if (!std::filesystem::exists(folder_ / "train.safetensors")) return;
  const auto file = io::SafeTensors::open(folder_ / "train.safetensors");
  std::vector<Ragged> batches;
  for (int k = 0; file.contains(fmt::format("batch{}.input_ids", k)); ++k)
    batches.push_back(testing::whole_rows(file.view(fmt::format("batch{}.input_ids", k))));
  golden_.training(batches);
}

INSTANTIATE_TEST_SUITE_P(Models, OwnCausalGolden, ::testing::ValuesIn(folders()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace heed
