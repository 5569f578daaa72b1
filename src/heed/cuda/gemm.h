// Matrix products by cuBLASLt, and what stands around them.
//
// cuBLASLt counts columns first, so c = a b is computed as c^T = b^T a^T on the same memory. f32 factors are multiplied
// as they are (tf32, which would round them to 10 bits, stays off), bf16 factors by tensor cores; sums and results are
// f32. Which of cuBLASLt's algorithms runs is asked once per shape and kept, so the same product gives the same bits.
#pragma once

#include <cublasLt.h>

#include <map>
#include <mutex>
#include <tuple>

#include "heed/cuda/cuda_backend.h"

namespace heed::cuda {

enum class Factors : uint8_t { kF32, kBF16 };

// A factor as it lies: [rows, cols] with `stride` elements between rows, to be transposed or not.
struct Factor {
  const void* data;
  int64_t stride;
  bool transpose;
};

// c [m, n] = alpha op(a) op(b) + (accumulate ? c : 0), then + bias of each column, then max(0, ·) if `relu`.
struct Product {
  Factors factors = Factors::kF32;
  int64_t m = 0, n = 0, k = 0;
  Factor a{}, b{};
  float* c = nullptr;
  int64_t c_stride = 0;
  float alpha = 1;
  bool accumulate = false;
  const float* bias = nullptr;
  bool relu = false;
};

class Products {
 public:
  explicit Products(CudaBackend& backend);
  Products(const Products&) = delete;
  Products& operator=(const Products&) = delete;
  ~Products();

  void run(const Product& product);

 private:
  // All that an algorithm is chosen by; the pointers' alignments are powers of two up to 256.
  using Key = std::tuple<Factors, int64_t, int64_t, int64_t, bool, bool, int64_t, int64_t, int64_t, bool, int, int, int,
                         int, int>;
  struct Description;

  cublasLtMatmulAlgo_t algorithm(const Key& key, const Description& description);

  CudaBackend& backend_;
  cublasLtHandle_t handle_ = nullptr;
  void* workspace_ = nullptr;
  std::mutex mutex_;
  std::map<Key, cublasLtMatmulAlgo_t> algorithms_;
};

// --- around a product (elementwise.cu) --------------------------------------------------------------------------

// y = dropout(act(y + bias)) in place; what is absent is left out.
void bias_activation(cudaStream_t stream, const TensorView& y, const TensorView& bias, Activation kind,
                     const Dropout& dropout);

// Turns dy into d loss / d (x w^T + bias) in place, for kNone and kRelu. ReLU's dropout is not drawn again: an element
// of y is above zero where it was kept and passed on.
void bias_activation_backward(cudaStream_t stream, const TensorView& y, Activation kind, const Dropout& dropout,
                              const TensorView& dy);

}  // namespace heed::cuda
