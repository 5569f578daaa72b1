// Matrix products by cuBLASLt, and what stands around them.
//
// cuBLASLt counts columns first, so c = a b is computed as c^T = b^T a^T on the same memory. f32 factors are multiplied
// as they are (tf32, which would round them to 10 bits, stays off), bf16 factors by tensor cores; sums are f32, results
// f32 or, of bf16 factors, bf16. Which of cuBLASLt's algorithms runs is asked once per shape, the rows of a batch
// rounded up to 64, and kept, so the same product gives the same bits.
#pragma once

#include <cublasLt.h>

#include <compare>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "heed/cuda/cuda_backend.h"

namespace heed::cuda {

// A matrix in the element type that its product wants, f32 or bf16: as it lies, or a copy, that of an empty one being
// empty.
class Operand {
 public:
  // What is not copied must stay as it is.
  Operand(CudaBackend& backend, const TensorView& x, DType dtype);
  const TensorView& view() const { return view_; }

 private:
  TensorView view_;
  std::optional<Scratch> memory_;
};

// c = alpha op(a) op(b) + (accumulate ? c : 0), then + bias of each column, then max(0, ·) if `relu`. a and b have one
// element type, f32 or bf16; c and bias have one, too.
struct Product {
  TensorView a{};
  bool transpose_a = false;
  TensorView b{};
  bool transpose_b = false;
  float alpha = 1;
  bool accumulate = false;
  TensorView bias{};  // may be empty
  bool relu = false;
  TensorView c{};

  int64_t depth() const { return transpose_a ? a.rows() : a.cols(); }
};

class Products {
 public:
  explicit Products(CudaBackend& backend);
  Products(const Products&) = delete;
  Products& operator=(const Products&) = delete;
  ~Products();

  void run(const Product& product);

 private:
  // All that an algorithm is chosen by. Alignments are in bytes: powers of two up to 256.
  struct Key {
    DType dtype, c_dtype;
    int64_t m, n, k;
    bool transpose_a, transpose_b;
    int64_t a_stride, b_stride, c_stride;
    bool accumulate;
    cublasLtEpilogue_t epilogue;
    uint32_t a_alignment, b_alignment, c_alignment, bias_alignment;
    auto operator<=>(const Key&) const = default;
  };
  struct Description;
  // How a product is computed.
  struct Plan {
    cublasLtMatmulAlgo_t algorithm;
    bool epilogue;  // it adds the bias and takes ReLU itself
  };

  static Key key_of(const Product& product);
  std::optional<cublasLtMatmulAlgo_t> ask(const Product& product);
  Plan plan(const Product& product);
  // Products whose plan for rounded rows was refused.
  bool goes_by_its_own_rows(const Product& product);
  void go_by_own_rows(const Product& product);
  // False if cuBLASLt will not compute it so.
  bool carry_out(const Product& product, const Plan& plan);
  // The bias and ReLU by themselves.
  void add_epilogue(const Product& product);

  CudaBackend& backend_;
  cublasLtHandle_t handle_ = nullptr;
  void* workspace_ = nullptr;
  std::mutex mutex_;
  std::map<Key, Plan> plans_;
  std::set<Key> own_rows_;
};

// --- around a product (elementwise.cu) --------------------------------------------------------------------------

// y = dropout(act(y + bias)) in place; what is absent is left out.
void bias_activation(cudaStream_t stream, const TensorView& y, const TensorView& bias, Activation kind,
                     const Dropout& dropout);

// Turns dy into dz in place; `kept` is z where derivative_needs_input(kind), else y. ReLU's dropout is not drawn again:
// an element of y is above zero where it was kept and passed on.
void bias_activation_backward(cudaStream_t stream, const TensorView& kept, Activation kind, const Dropout& dropout,
                              const TensorView& dy);

}  // namespace heed::cuda
