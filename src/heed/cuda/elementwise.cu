// Elementwise kernels, and what stands around a matrix product.
#include "heed/cuda/cuda_backend.h"
#include "heed/cuda/gemm.h"
#include "heed/cuda/launch.h"
#include "heed/cuda/math-device.h"

namespace heed::cuda {
namespace {

HEED_DEVICE void put(float value, bool accumulate, float* to) { *to = accumulate ? *to + value : value; }

struct AddElements {
  Rows<const float> a, b;
  Rows<float> y;
  __device__ void operator()(int64_t r, int64_t c) const { y[r][c] = a[r][c] + b[r][c]; }
};

struct AddDropped {
  Rows<const float> a, b;
  Rows<float> y;
  __device__ void operator()(int64_t r, int64_t c, float factor) const { y[r][c] = a[r][c] + b[r][c] * factor; }
};

struct MultiplyElements {
  Rows<const float> a, b;
  Rows<float> y;
  bool accumulate;
  __device__ void operator()(int64_t r, int64_t c) const { put(a[r][c] * b[r][c], accumulate, y[r] + c); }
};

struct ScaleElements {
  Rows<const float> x;
  Rows<float> y;
  float factor;
  bool accumulate;
  __device__ void operator()(int64_t r, int64_t c) const { put(factor * x[r][c], accumulate, y[r] + c); }
};

struct Activate {
  Rows<const float> x;
  Rows<float> y;
  Activation kind;
  __device__ void operator()(int64_t r, int64_t c) const { y[r][c] = activate(kind, x[r][c]); }
};

struct ActivateBackward {
  Rows<const float> x, dy;
  Rows<float> dx;
  Activation kind;
  bool accumulate;
  __device__ void operator()(int64_t r, int64_t c) const {
    put(dy[r][c] * activation_slope(kind, x[r][c]), accumulate, dx[r] + c);
  }
};

struct Drop {
  Rows<const float> x;
  Rows<float> y;
  bool accumulate;
  __device__ void operator()(int64_t r, int64_t c, float factor) const { put(x[r][c] * factor, accumulate, y[r] + c); }
};

struct BiasActivation {
  Rows<float> y;
  const float* bias;
  Activation kind;
  __device__ void operator()(int64_t r, int64_t c) const {
    y[r][c] = activate(kind, y[r][c] + (bias ? bias[c] : 0.0f));
  }
};

struct BiasActivationDrop {
  BiasActivation undropped;
  __device__ void operator()(int64_t r, int64_t c, float factor) const {
    undropped(r, c);
    undropped.y[r][c] *= factor;
  }
};

struct DerivativeInPlace {
  Rows<const float> z;
  Rows<float> dy;
  Activation kind;
  __device__ void operator()(int64_t r, int64_t c) const { dy[r][c] *= activation_slope(kind, z[r][c]); }
};

struct ReluBackward {
  Rows<const float> y;
  Rows<float> dy;
  float keep;
  __device__ void operator()(int64_t r, int64_t c) const { dy[r][c] = y[r][c] > 0 ? dy[r][c] * keep : 0.0f; }
};

}  // namespace

void bias_activation(cudaStream_t stream, const TensorView& y, const TensorView& bias, Activation kind,
                     const Dropout& dropout) {
  const float* b = bias ? bias.as<float>() : nullptr;
  const BiasActivation undropped{rows_of<float>(y), b, kind};
  if (dropout.active()) return for_each_dropped(stream, y.rows(), y.cols(), dropout, BiasActivationDrop{undropped});
  if (b || kind != Activation::kNone) for_each_element(stream, y.rows(), y.cols(), undropped);
}

void bias_activation_backward(cudaStream_t stream, const TensorView& kept, Activation kind, const Dropout& dropout,
                              const TensorView& dy) {
  if (kind == Activation::kRelu) {
    const float keep = dropout.active() ? 1.0f / (1.0f - dropout.rate) : 1.0f;
    for_each_element(stream, {kept, dy}, ReluBackward{rows_of<const float>(kept), rows_of<float>(dy), keep});
    return;
  }
  if (dropout.active())
    for_each_dropped(stream, dy.rows(), dy.cols(), dropout, Drop{rows_of<const float>(dy), rows_of<float>(dy), false});
  if (derivative_needs_input(kind))
    for_each_element(stream, {kept, dy}, DerivativeInPlace{rows_of<const float>(kept), rows_of<float>(dy), kind});
}

void CudaBackend::add(const TensorView& a, const TensorView& b, const Dropout& dropout, const TensorView& y) {
  if (dropout.active())
    return for_each_dropped(stream(), y.rows(), y.cols(), dropout,
                            AddDropped{rows_of<const float>(a), rows_of<const float>(b), rows_of<float>(y)});
  for_each_element(stream(), {y, a, b},
                   AddElements{rows_of<const float>(a), rows_of<const float>(b), rows_of<float>(y)});
}
void CudaBackend::multiply(const TensorView& a, const TensorView& b, bool accumulate, const TensorView& y) {
  for_each_element(stream(), {y, a, b},
                   MultiplyElements{rows_of<const float>(a), rows_of<const float>(b), rows_of<float>(y), accumulate});
}
void CudaBackend::scale(const TensorView& x, float factor, bool accumulate, const TensorView& y) {
  for_each_element(stream(), {y, x}, ScaleElements{rows_of<const float>(x), rows_of<float>(y), factor, accumulate});
}
void CudaBackend::activation(const TensorView& x, Activation kind, const TensorView& y) {
  for_each_element(stream(), {y, x}, Activate{rows_of<const float>(x), rows_of<float>(y), kind});
}
void CudaBackend::activation_backward(const TensorView& x, const TensorView& dy, Activation kind, bool accumulate,
                                      const TensorView& dx) {
  for_each_element(
      stream(), {dx, x, dy},
      ActivateBackward{rows_of<const float>(x), rows_of<const float>(dy), rows_of<float>(dx), kind, accumulate});
}
void CudaBackend::dropout(const TensorView& x, const Dropout& dropout, bool accumulate, const TensorView& y) {
  for_each_dropped(stream(), y.rows(), y.cols(), dropout, Drop{rows_of<const float>(x), rows_of<float>(y), accumulate});
}

}  // namespace heed::cuda
