// Elementwise kernels, and what stands around a matrix product.
#include "heed/cuda/cuda_backend.h"
#include "heed/cuda/gemm.h"
#include "heed/cuda/launch.h"

namespace heed::cuda {
namespace {

// --- y (+)= f(a, b), element by element ---------------------------------------------------------------------------

constexpr int kAtOnce = 4;  // elements that a thread reads by one instruction

template <class T>
struct alignas(kAtOnce * sizeof(T)) Pack {
  T x[kAtOnce];
};

template <class A, class B, class Y, class F>
struct Map {
  Rows<const A> a;
  Rows<const B> b;
  Rows<Y> y;
  bool accumulate;
  F f;

  __device__ void operator()(int64_t r, int64_t c) const {
    put(f(float(a[r][c]), float(b[r][c])), accumulate, y[r][c]);
  }
  // The same for elements kAtOnce * i and those behind it of one long row.
  __device__ void pack(int64_t i) const {
    const Pack<A> left = reinterpret_cast<const Pack<A>*>(a.data)[i];
    const Pack<B> right = reinterpret_cast<const Pack<B>*>(b.data)[i];
    Pack<Y>& to = reinterpret_cast<Pack<Y>*>(y.data)[i];
    Pack<Y> result;
    if (accumulate) result = to;
#pragma unroll
    for (int j = 0; j < kAtOnce; ++j) put(f(float(left.x[j]), float(right.x[j])), accumulate, result.x[j]);
    to = result;
  }
};

template <class M>
__global__ void pack_kernel(int64_t packs, M map) {
  const int64_t step = int64_t{gridDim.x} * blockDim.x;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < packs; i += step) map.pack(i);
}

// y (+)= f(a, b); any two of them may be the same.
template <class A, class B, class Y, class F>
void for_each_of(cudaStream_t stream, const TensorView& a, const TensorView& b, bool accumulate, const TensorView& y,
                 const F& f) {
  const Map<A, B, Y, F> map{rows_of<const A>(a), rows_of<const B>(b), rows_of<Y>(y), accumulate, f};
  const int64_t total = y.rows() * y.cols();
  const auto packed = [](const TensorView& x) {
    return x.contiguous() && reinterpret_cast<uintptr_t>(x.data) % (kAtOnce * size_of(x.dtype)) == 0;
  };
  if (total % kAtOnce != 0 || !packed(a) || !packed(b) || !packed(y)) return for_each_element(stream, {y, a, b}, map);
  const int64_t packs = total / kAtOnce;
  launch(stream, {std::min<int64_t>((packs + kThreads - 1) / kThreads, 1 << 14)}, &pack_kernel<decltype(map)>, packs,
         map);
}

struct Sum {
  __device__ float operator()(float a, float b) const { return a + b; }
};
struct ProductOf {
  __device__ float operator()(float a, float b) const { return a * b; }
};
struct Multiple {
  float factor;
  __device__ float operator()(float x, float) const { return factor * x; }
};
struct MultipleOf {
  const float* factor;
  __device__ float operator()(float x, float) const { return *factor * x; }
};
struct Quotient {
  const float* dividend;
  double divisor;
  float* to;
  __device__ void operator()(int64_t, int64_t) const { *to = static_cast<float>(*dividend / divisor); }
};
struct Activate {
  Activation kind;
  __device__ float operator()(float x, float) const { return activate(kind, x); }
};
struct ActivateBackward {
  Activation kind;
  __device__ float operator()(float x, float dy) const { return dy * activation_slope(kind, x); }
};
struct ReluBackward {
  float keep;
  __device__ float operator()(float y, float dy) const { return y > 0 ? dy * keep : 0.0f; }
};

// --- with dropout: of a unit's channels all are read before any is written -------------------------------------------

template <class T>
struct AddDropped {
  Rows<const T> a, b;
  Rows<T> y;
  struct Read {
    float a, b;
  };
  __device__ Read read(int64_t r, int64_t c) const { return {float(a[r][c]), float(b[r][c])}; }
  __device__ void write(int64_t r, int64_t c, const Read& x, float factor) const { y[r][c] = T(x.a + x.b * factor); }
};

template <class T>
struct Drop {
  Rows<const T> x;
  Rows<T> y;
  bool accumulate;
  __device__ float read(int64_t r, int64_t c) const { return float(x[r][c]); }
  __device__ void write(int64_t r, int64_t c, float value, float factor) const {
    put(value * factor, accumulate, y[r][c]);
  }
};

// y = act(y + bias) factor
template <class T>
struct BiasActivation {
  Rows<T> y;
  const float* bias;
  Activation kind;
  __device__ float read(int64_t r, int64_t c) const { return float(y[r][c]) + (bias ? bias[c] : 0.0f); }
  __device__ void write(int64_t r, int64_t c, float value, float factor) const {
    y[r][c] = T(activate(kind, value) * factor);
  }
  __device__ void operator()(int64_t r, int64_t c) const { write(r, c, read(r, c), 1); }
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
    if (kind == Activation::kRelu) {
      const float keep = dropout.active() ? 1.0f / (1.0f - dropout.rate) : 1.0f;
      return for_each_of<T, T, T>(stream, kept, dy, false, dy, ReluBackward{keep});
    }
    if (dropout.active())
      for_each_dropped(stream, dy.rows(), dy.cols(), dropout, Drop<T>{rows_of<const T>(dy), rows_of<T>(dy), false});
    if (derivative_needs_input(kind)) for_each_of<T, T, T>(stream, kept, dy, false, dy, ActivateBackward{kind});
  });
}

void CudaBackend::add(const TensorView& a, const TensorView& b, const Dropout& dropout, const TensorView& y) {
  with_element(y, [&](auto element) {
    using T = decltype(element);
    if (!dropout.active()) return for_each_of<T, T, T>(stream(), a, b, false, y, Sum{});
    for_each_dropped(stream(), y.rows(), y.cols(), dropout,
                     AddDropped<T>{rows_of<const T>(a), rows_of<const T>(b), rows_of<T>(y)});
  });
}

void CudaBackend::multiply(const TensorView& a, const TensorView& b, bool accumulate, const TensorView& y) {
  with_element(y, [&](auto element) {
    using T = decltype(element);
    for_each_of<T, T, T>(stream(), a, b, accumulate, y, ProductOf{});
  });
}

void CudaBackend::scale(const TensorView& x, float factor, bool accumulate, const TensorView& y) {
  with_element(x, [&](auto from) {
    with_element(y, [&](auto to) {
      using From = decltype(from);
      for_each_of<From, From, decltype(to)>(stream(), x, x, accumulate, y, Multiple{factor});
    });
  });
}

void CudaBackend::scale_by(const TensorView& x, const TensorView& factor, double divisor, bool accumulate,
                           const TensorView& y) {
  const Scratch quotient(*this, sizeof(float));
  for_each_element(stream(), 1, 1, Quotient{factor.as<float>(), divisor, quotient.as<float>()});
  with_element(x, [&](auto from) {
    with_element(y, [&](auto to) {
      using From = decltype(from);
      for_each_of<From, From, decltype(to)>(stream(), x, x, accumulate, y, MultipleOf{quotient.as<float>()});
    });
  });
}

void CudaBackend::activation(const TensorView& x, Activation kind, const TensorView& y) {
  with_element(y, [&](auto element) {
    using T = decltype(element);
    for_each_of<T, T, T>(stream(), x, x, false, y, Activate{kind});
  });
}

void CudaBackend::activation_backward(const TensorView& x, const TensorView& dy, Activation kind, bool accumulate,
                                      const TensorView& dx) {
  with_element(dx, [&](auto element) {
    using T = decltype(element);
    for_each_of<T, T, T>(stream(), x, dy, accumulate, dx, ActivateBackward{kind});
  });
}

void CudaBackend::dropout(const TensorView& x, const Dropout& dropout, bool accumulate, const TensorView& y) {
  with_element(y, [&](auto element) {
    using T = decltype(element);
    for_each_dropped(stream(), y.rows(), y.cols(), dropout, Drop<T>{rows_of<const T>(x), rows_of<T>(y), accumulate});
  });
}

}  // namespace heed::cuda
