// Snapshots: the parameters alone at some steps of a training, on the disk, so that the mean of the last ones can be
// taken at the end (Vaswani et al. 2017, section 6.1) without holding them in memory.
//
//   snapshots/step-000100.safetensors     "values": the flat parameters
//
// A snapshot is a function of the run and its step, so one written twice, before and after a resume, is the same.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "heed/tensor/tensor.h"

namespace heed::train {

class Snapshots {
 public:
  explicit Snapshots(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Throws IoError.
  void write(int64_t step, const Tensor& values) const;
  // Deletes those of steps before `oldest`.
  void prune(int64_t oldest) const;
  // The mean of those of `steps`, summed in f64. Those that cannot be read or do not fit are left out with a warning.
  // Undefined if none is left.
  Tensor mean(const std::vector<int64_t>& steps, const Shape& shape) const;

 private:
  std::filesystem::path file(int64_t step) const;

  std::filesystem::path folder_;
};

}  // namespace heed::train
