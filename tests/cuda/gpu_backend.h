// What the tests of a GPU's kernels share: the two backends, numbers on both, and their comparison.
//
// Without HEED_CUDA_LIBRARY the kernels run emulated (emulation/); with it, on the GPU, if there is one. What
// operations call is covered by all their cases too (tests/ops/op_case.h with HEED_TEST_DEVICE=cuda); here stand the
// kernels by themselves, with what no operation asks of them: windows, accumulation, batches of other sizes.
#pragma once

#include <gtest/gtest.h>

#include <cmath>

#include "cuda/cuda_library.h"
#include "heed/base/random.h"
#include "heed/tensor/backends.h"
#include "heed/tensor/tensor.h"

namespace heed::testing {

inline constexpr Device kGpu{DeviceType::kCuda, 0};

inline constexpr Activation kActivations[] = {Activation::kNone,     Activation::kRelu, Activation::kGelu,
                                              Activation::kGeluTanh, Activation::kSilu, Activation::kTanh};

// Of a product of [m, k] and [k, n].
struct Sizes {
  int64_t m, n, k;
};

class GpuBackend : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ::setenv("HEED_CUDA_LIBRARY", cuda_library().c_str(), 0); }
  void SetUp() override {
    const CudaDevices found = cuda_devices();
    if (found.devices.empty()) GTEST_SKIP() << "skipped: no GPU: " << found.why_none;
  }
  static Backend& gpu() { return backend(kGpu); }
  static Backend& cpu() { return backend(); }
};

inline Tensor numbers(Shape shape, uint64_t seed) {
  Random random(seed);
  std::vector<float> values(static_cast<size_t>(shape.numel()));
  for (float& v : values) v = static_cast<float>(random.normal());
  return Tensor::from(values, shape);
}

// The same numbers on both devices.
struct Both {
  Tensor cpu, gpu;
  explicit Both(const Tensor& x) : cpu(x.clone()), gpu(x.to(kGpu)) {}
  Both(Shape shape, uint64_t seed) : Both(numbers(shape, seed)) {}
};

// x in another element type, by the backend's own conversion.
inline Tensor as_type(const Tensor& x, DType dtype) {
  const Tensor y = Tensor::empty(x.shape(), dtype, x.device());
  backend(x.device()).copy(x.view(), y.view());
  return y;
}
inline Tensor rounded(const Tensor& x, DType dtype = DType::kBF16) { return as_type(as_type(x, dtype), DType::kF32); }
inline std::vector<float> values_of(const Tensor& x) { return as_type(x, DType::kF32).to_vector<float>(); }

// Activations in bf16 on the GPU, and the same numbers in f32 on the CPU.
struct Activations : Both {
  explicit Activations(const Tensor& x) : Both(rounded(x)) { gpu = as_type(gpu, DType::kBF16); }
  Activations(Shape shape, uint64_t seed) : Activations(numbers(shape, seed)) {}
};

inline void expect_close(const Tensor& gpu, const Tensor& cpu, double tolerance, const std::string& what) {
  const auto a = values_of(gpu), e = values_of(cpu);
  ASSERT_EQ(a.size(), e.size()) << what;
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(e[i]) && std::isnan(a[i])) continue;
    if (e[i] == a[i]) continue;
    const double error = std::abs(static_cast<double>(a[i]) - e[i]) / (1 + std::abs(static_cast<double>(e[i])));
    ASSERT_LE(error, tolerance) << what << ": element " << i << " is " << a[i] << ", expected " << e[i];
  }
}
inline void expect_close(const Both& both, double tolerance, const std::string& what) {
  expect_close(both.gpu, both.cpu, tolerance, what);
}

}  // namespace heed::testing
