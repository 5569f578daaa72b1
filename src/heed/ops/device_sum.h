// DeviceSum: a sum that was taken on a device and is brought to the host when somebody asks for it, so that a training
// step need not wait for its loss before its backward.
#pragma once

#include <bit>
#include <utility>
#include <vector>

#include "heed/tensor/tensor.h"

namespace heed::ops {

class DeviceSum {
 public:
  DeviceSum(double value = 0) : value_(value) {}
  // From Backend::sum_to: the bits of a double, i64 [1].
  explicit DeviceSum(Tensor bits) { waiting_.push_back({std::move(bits), 1}); }

  // Waits, the first time, for the kernels before. Belongs to one thread.
  operator double() const {
    for (const Part& part : waiting_)
      value_ += part.factor * std::bit_cast<double>(part.bits.to_vector<int64_t>().front());
    waiting_.clear();
    return value_;
  }

  // Without waiting.
  friend DeviceSum operator+(DeviceSum a, const DeviceSum& b) {
    a.value_ += b.value_;
    a.waiting_.insert(a.waiting_.end(), b.waiting_.begin(), b.waiting_.end());
    return a;
  }
  friend DeviceSum operator*(DeviceSum a, double factor) {
    a.value_ *= factor;
    for (Part& part : a.waiting_) part.factor *= factor;
    return a;
  }

 private:
  struct Part {
    Tensor bits;
    double factor;
  };
  mutable double value_ = 0;
  mutable std::vector<Part> waiting_;  // what is not yet in `value_`
};

// The sum of `losses`, f32, which divided by `divisor` goes to `quotient` (f32 [1]), if that is defined.
DeviceSum sum_on_device(const Tensor& losses, double divisor = 1, const Tensor& quotient = {});

}  // namespace heed::ops
