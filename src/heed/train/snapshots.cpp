#include "heed/train/snapshots.h"

#include <charconv>

#include "heed/base/error.h"
#include "heed/base/log.h"
#include "heed/io/safetensors.h"
#include "heed/models/weights.h"
#include "heed/tensor/backends.h"

namespace heed::train {
namespace fs = std::filesystem;
namespace {

constexpr const char* kTensor = "values";
constexpr std::string_view kPrefix = "step-", kSuffix = ".safetensors";

// The step that a file name holds; -1 for another file.
int64_t step_of(const std::string& name) {
  int64_t step = -1;
  if (name.starts_with(kPrefix) && name.ends_with(kSuffix))
    std::from_chars(name.data() + kPrefix.size(), name.data() + name.size() - kSuffix.size(), step);
  return step;
}

}  // namespace

fs::path Snapshots::file(int64_t step) const { return folder_ / fmt::format("{}{:06}{}", kPrefix, step, kSuffix); }

void Snapshots::write(int64_t step, const Tensor& values) const {
  std::error_code error;
  fs::create_directories(folder_, error);
  check<IoError>(!error, "{}: cannot be made ({})", folder_.string(), error.message());
  io::write_safetensors(file(step), {models::named_view(kTensor, values)});
}

void Snapshots::prune(int64_t oldest) const {
  std::error_code error;
  std::vector<fs::path> old;
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    const int64_t step = step_of(entry.path().filename().string());
    if (step >= 0 && step < oldest) old.push_back(entry.path());
  }
  for (const fs::path& path : old) fs::remove(path, error);
}

Tensor Snapshots::mean(const std::vector<int64_t>& steps, const Shape& shape) const {
  std::vector<double> sum(static_cast<size_t>(shape.numel()), 0.0);
  size_t found = 0;
  for (const int64_t step : steps) {
    try {
      const auto snapshot = io::SafeTensors::open(file(step));
      const TensorView view = snapshot.view(kTensor);
      check<FormatError>(view.shape == shape && view.dtype == DType::kF32, "{}: is not of this model",
                         file(step).string());
      const float* values = view.as<float>();
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += static_cast<double>(values[i]);
      ++found;
    } catch (const Error& error) {
      log().warn("a snapshot is left out of the average: {}", error.what());
    }
  }
  if (found == 0) return {};
  std::vector<float> mean(sum.size());
  for (size_t i = 0; i < sum.size(); ++i) mean[i] = static_cast<float>(sum[i] / static_cast<double>(found));
  return Tensor::from(mean, shape);
}

}  // namespace heed::train
