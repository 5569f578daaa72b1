#include "heed/ops/device_sum.h"

#include "heed/tensor/backends.h"

namespace heed::ops {

DeviceSum sum_on_device(const Tensor& losses, double divisor, const Tensor& quotient) {
  const Tensor bits = Tensor::empty({1}, DType::kI64, losses.device());
  backend(losses.device()).sum_to(losses.view(), divisor, bits.view(), quotient.view());
  return DeviceSum(bits);
}

}  // namespace heed::ops
