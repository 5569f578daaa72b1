// DeviceSum: a sum that was taken on a device and is brought to the host when somebody asks for it, so that a training
// step need not wait for its loss before its backward.
#pragma once

#include <bit>

#include "heed/tensor/tensor.h"

namespace heed::ops {

class DeviceSum {
 public:
  DeviceSum(double value = 0) : value_(value) {}
  // From Backend::sum_to: the bits of a double, i64 [1].
  explicit DeviceSum(Tensor bits) : bits_(std::move(bits)) {}

  // Waits, the first time, for the kernels before. Belongs to one thread.
  operator double() const {
    if (bits_.defined()) {
      value_ = std::bit_cast<double>(bits_.to_vector<int64_t>().front());
      bits_ = Tensor();
    }
    return value_;
  }

 private:
  mutable double value_ = 0;
  mutable Tensor bits_;  // undefined: the value is there
};

}  // namespace heed::ops
