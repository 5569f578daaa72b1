// Every recorded folder, our own and the shared ones, replayed, on the device that HEED_TEST_DEVICE names; and what is
// wrong in a folder shows.
#include <gmock/gmock.h>

#include <cstdlib>

#include "heed/base/files.h"
#include "heed/models/save.h"
#include "heed/tensor/backends.h"
#include "heed/verify/verify.h"
#include "models/folders.h"
#include "models/golden.h"

namespace heed::verify {
namespace {

namespace fs = std::filesystem;

Options options() {
  Options o;
  const fs::path text = testing::shared_path("data/multi30k/train.en.gz");
  if (fs::exists(text)) o.text = text;
  if (const char* device = std::getenv("HEED_TEST_DEVICE")) o.device = device_from_name(device);
  return o;
}

std::string failures(const Report& report) {
  std::string text;
  for (const Check& c : report.checks) {
    if (c.status != Status::kFail) continue;
    const Difference* d = c.worst();
    text += fmt::format("{} [{}] {} {} of {}\n", c.what, c.path, c.note, d ? d->absolute : 0, d ? d->bound : 0);
  }
  return text;
}

class Goldens : public ::testing::TestWithParam<fs::path> {};

TEST_P(Goldens, AllHold) {
  Options o = options();
  o.gradient_norm = testing::norm_bound(GetParam());
  if (!o.device.is_host() && cuda_devices().devices.empty()) GTEST_SKIP() << "skipped: no GPU";
  const Report report = verify_folder(GetParam(), o);
  EXPECT_EQ(failures(report), "");
  EXPECT_TRUE(report.passed());
  EXPECT_GE(report.checks.size(), 3u);
}

// Trained in bf16, activations in it on a GPU: loss by loss, within the rounding. T5's scores are not scaled, and so
// its models of random weights magnify what is rounded; in PyTorch's autocast, too (see rounded_training()).
class GoldensInBf16 : public ::testing::TestWithParam<fs::path> {};

std::vector<fs::path> without_t5(std::vector<fs::path> folders) {
  std::erase_if(folders, [](const fs::path& folder) { return folder.filename().string().starts_with("t5"); });
  return folders;
}

TEST_P(GoldensInBf16, AllHold) {
  Options o = options();
  o.product = DType::kBF16;
  if (!o.device.is_host() && cuda_devices().devices.empty()) GTEST_SKIP() << "skipped: no GPU";
  const Report report = verify_folder(GetParam(), o);
  EXPECT_EQ(failures(report), "");
}

INSTANTIATE_TEST_SUITE_P(Own, GoldensInBf16, ::testing::ValuesIn(without_t5(testing::own_model_folders())),
                         testing::folder_name);
INSTANTIATE_TEST_SUITE_P(Shared, GoldensInBf16, ::testing::ValuesIn(without_t5(testing::shared_model_folders())),
                         testing::folder_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldensInBf16);

INSTANTIATE_TEST_SUITE_P(Own, Goldens, ::testing::ValuesIn(testing::own_model_folders()), testing::folder_name);
INSTANTIATE_TEST_SUITE_P(Shared, Goldens, ::testing::ValuesIn(testing::shared_model_folders()), testing::folder_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Goldens);

TEST(GoldensOfOurOwn, AreAllThere) { EXPECT_GE(testing::own_model_folders().size(), 43u); }

// A copy of a recorded folder, to be damaged.
struct Copy {
  testing::TemporaryFolder folder;
  fs::path path = folder / "m";
  Copy() { fs::copy(testing::source_path("tests/golden/models/marian_separate"), path); }

  // Adds `by` to the first number of a tensor of a file.
  void shift(const char* file, const std::string& name, float by) const {
    std::vector<Tensor> keep;
    std::vector<io::NamedView> views;
    {
      const auto in = io::SafeTensors::open(path / file);
      for (const std::string& n : in.names()) {
        const TensorView v = in.view(n);
        keep.push_back(Tensor::from_bytes(in.bytes(n), v.shape, v.dtype));
        if (n == name) keep.back().data<float>()[0] += by;
        views.push_back({n, keep.back().view()});
      }
    }
    io::write_safetensors(path / file, views);
  }
  std::vector<std::string> failed() const {
    std::vector<std::string> names;
    for (const Check& c : verify_folder(path, {}).checks)
      if (c.status == Status::kFail) names.push_back(c.what + (c.note.empty() ? "" : ": " + c.note));
    return names;
  }
};

TEST(Verify, NamesWhatIsOff) {
  using ::testing::ElementsAre;
  using ::testing::IsEmpty;
  const Copy copy;
  EXPECT_THAT(copy.failed(), IsEmpty());
  copy.shift("golden.safetensors", "out.decoder_hidden_states.1", 0.01f);
  EXPECT_THAT(copy.failed(), ElementsAre("decoder_hidden_states (2): first beyond its bound: decoder_hidden_states.1"));
  copy.shift("grads.safetensors", "model.decoder.layers.0.fc1.bias", 0.5f);
  EXPECT_EQ(copy.failed().size(), 2u);
}

TEST(Verify, SeesAnotherWeight) {
  const Copy copy;
  copy.shift("model.safetensors", "model.encoder.layers.0.fc1.bias", 0.5f);
  EXPECT_GE(copy.failed().size(), 4u);  // states, logits, loss, gradients, …
}

TEST(Verify, OutputsThatNobodyComputesFail) {
  const Copy copy;
  std::vector<io::NamedView> views;
  const auto in = io::SafeTensors::open(copy.path / "golden.safetensors");
  for (const std::string& n : in.names()) views.push_back({n, in.view(n)});
  views.push_back({"out.something_new", in.view("out.loss")});
  io::write_safetensors(copy.path / "golden.safetensors", views);
  EXPECT_THAT(copy.failed(), ::testing::ElementsAre(::testing::HasSubstr("something_new")));
}

TEST(Verify, GeneratedIdsAreComparedExactly) {
  const Copy copy;
  Json golden = read_json(copy.path / "golden.json");
  auto& id = golden["generate"][0]["sequences"][0][2];
  id = id.get<int>() + 1;
  write_json(copy.path / "golden.json", golden);
  EXPECT_THAT(copy.failed(), ::testing::ElementsAre(::testing::HasSubstr("1 of 2 differ; first: input 0 output 0")));
}

TEST(Verify, AFolderWithoutRecordingsIsAnError) {
  const Copy copy;
  for (const char* file : {"golden.safetensors", "golden.json"}) fs::remove(copy.path / file);
  EXPECT_THROW(verify_folder(copy.path, {}), FormatError);
}

}  // namespace
}  // namespace heed::verify
