// Elementwise kernels, and what stands around a matrix product.
#include "heed/cuda/cuda_backend.h"
#include "heed/cuda/gemm.h"
#include "heed/cuda/launch.h"

namespace heed::cuda {
namespace {

template <class T>
struct AddElements {
  Rows<const T> a, b;
  Rows<T> y;
  __device__ void operator()(int64_t r, int64_t c) const { y[r][c] = T(float(a[r][c]) + float(b[r][c])); }
};

template <class T>
struct AddDropped {
  Rows<const T> a, b;
  Rows<T> y;
  __device__ void operator()(int64_t r, int64_t c, float factor) const {
    y[r][c] = T(float(a[r][c]) + float(b[r][c]) * factor);
  }
};

template <class T>
struct MultiplyElements {
  Rows<const T> a, b;
  Rows<T> y;
  bool accumulate;
  __device__ void operator()(int64_t r, int64_t c) const { put(float(a[r][c]) * float(b[r][c]), accumulate, y[r][c]); }
};

template <class From, class To>
struct ScaleElements {
  Rows<const From> x;
  Rows<To> y;
  float factor;
  bool accumulate;
  __device__ void operator()(int64_t r, int64_t c) const { put(factor * float(x[r][c]), accumulate, y[r][c]); }
};

template <class T>
struct Activate {
  Rows<const T> x;
  Rows<T> y;
  Activation kind;
  __device__ void operator()(int64_t r, int64_t c) const { y[r][c] = T(activate(kind, float(x[r][c]))); }
};

template <class T>
struct ActivateBackward {
  Rows<const T> x, dy;
  Rows<T> dx;
  Activation kind;
  bool accumulate;
  __device__ void operator()(int64_t r, int64_t c) const {
    put(float(dy[r][c]) * activation_slope(kind, float(x[r][c])), accumulate, dx[r][c]);
  }
};

template <class T>
struct Drop {
  Rows<const T> x;
  Rows<T> y;
  bool accumulate;
  __device__ void operator()(int64_t r, int64_t c, float factor) const {
    put(float(x[r][c]) * factor, accumulate, y[r][c]);
  }
};

// y = act(y + bias) factor
template <class T>
struct BiasActivation {
  Rows<T> y;
  const float* bias;
  Activation kind;
  __device__ void operator()(int64_t r, int64_t c, float factor = 1) const {
    y[r][c] = T(activate(kind, float(y[r][c]) + (bias ? bias[c] : 0.0f)) * factor);
  }
};

template <class T>
struct DerivativeInPlace {
  Rows<const T> z;
  Rows<T> dy;
  Activation kind;
  __device__ void operator()(int64_t r, int64_t c) const {
    dy[r][c] = T(float(dy[r][c]) * activation_slope(kind, float(z[r][c])));
  }
};

template <class T>
struct ReluBackward {
  Rows<const T> y;
  Rows<T> dy;
  float keep;
  __device__ void operator()(int64_t r, int64_t c) const {
    dy[r][c] = T(float(y[r][c]) > 0 ? float(dy[r][c]) * keep : 0.0f);
  }
};

}  // namespace

void bias_activation(cudaStream_t stream, const TensorView& y, const TensorView& bias, Activation kind,
                     const Dropout& dropout) {
  if (!bias && kind == Activation::kNone && !dropout.active()) return;
  with_element(y, [&](auto element) {
    using T = decltype(element);
    const BiasActivation<T> f{rows_of<T>(y), bias ? bias.as<float>() : nullptr, kind};
    if (dropout.active()) for_each_dropped(stream, y.rows(), y.cols(), dropout, f);
    else for_each_element(stream, y.rows(), y.cols(), f);
  });
}

void bias_activation_backward(cudaStream_t stream, const TensorView& kept, Activation kind, const Dropout& dropout,
                              const TensorView& dy) {
  with_element(dy, [&](auto element) {
    using T = decltype(element);
    const Rows<T> gradients = rows_of<T>(dy);
    if (kind == Activation::kRelu) {
      const float keep = dropout.active() ? 1.0f / (1.0f - dropout.rate) : 1.0f;
      for_each_element(stream, {kept, dy}, ReluBackward<T>{rows_of<const T>(kept), gradients, keep});
      return;
    }
    if (dropout.active())
      for_each_dropped(stream, dy.rows(), dy.cols(), dropout, Drop<T>{rows_of<const T>(dy), gradients, false});
    if (derivative_needs_input(kind))
      for_each_element(stream, {kept, dy}, DerivativeInPlace<T>{rows_of<const T>(kept), gradients, kind});
  });
}

void CudaBackend::add(const TensorView& a, const TensorView& b, const Dropout& dropout, const TensorView& y) {
  with_element(y, [&](auto element) {
    using T = decltype(element);
    const auto left = rows_of<const T>(a), right = rows_of<const T>(b);
    if (dropout.active())
      for_each_dropped(stream(), y.rows(), y.cols(), dropout, AddDropped<T>{left, right, rows_of<T>(y)});
    else for_each_element(stream(), {y, a, b}, AddElements<T>{left, right, rows_of<T>(y)});
  });
}

void CudaBackend::multiply(const TensorView& a, const TensorView& b, bool accumulate, const TensorView& y) {
  with_element(y, [&](auto element) {
    using T = decltype(element);
    for_each_element(stream(), {y, a, b},
                     MultiplyElements<T>{rows_of<const T>(a), rows_of<const T>(b), rows_of<T>(y), accumulate});
  });
}

void CudaBackend::scale(const TensorView& x, float factor, bool accumulate, const TensorView& y) {
  with_element(x, [&](auto from) {
    with_element(y, [&](auto to) {
      using From = decltype(from);
      using To = decltype(to);
      for_each_element(stream(), {y, x},
                       ScaleElements<From, To>{rows_of<const From>(x), rows_of<To>(y), factor, accumulate});
    });
  });
}

void CudaBackend::activation(const TensorView& x, Activation kind, const TensorView& y) {
  with_element(y, [&](auto element) {
    using T = decltype(element);
    for_each_element(stream(), {y, x}, Activate<T>{rows_of<const T>(x), rows_of<T>(y), kind});
  });
}

void CudaBackend::activation_backward(const TensorView& x, const TensorView& dy, Activation kind, bool accumulate,
                                      const TensorView& dx) {
  with_element(dx, [&](auto element) {
    using T = decltype(element);
    for_each_element(stream(), {dx, x, dy},
                     ActivateBackward<T>{rows_of<const T>(x), rows_of<const T>(dy), rows_of<T>(dx), kind, accumulate});
  });
}

void CudaBackend::dropout(const TensorView& x, const Dropout& dropout, bool accumulate, const TensorView& y) {
  with_element(y, [&](auto element) {
    using T = decltype(element);
    for_each_dropped(stream(), y.rows(), y.cols(), dropout, Drop<T>{rows_of<const T>(x), rows_of<T>(y), accumulate});
  });
}

}  // namespace heed::cuda
