// The CPU's Backend: matrix products by oneDNN and, in bf16, by kernels of its own, all else in portable SIMD (Highway)
// chosen at run time, threads by OpenMP.
//
// Thread-safe: any number of threads may call kernels at once; each uses its own thread count (base/threads.h).
#pragma once

#include <string>

#include "heed/core/backend.h"

namespace heed::cpu {

class CpuBackend final : public Backend {
 public:
  void* allocate(size_t bytes) override;
  void deallocate(void* data, size_t bytes) noexcept override;
  void copy(const TensorView& x, const TensorView& y) override;
  void fill(const TensorView& y, double value) override;
  size_t bytes_in_use() const override;
  void to_device(const void* host, size_t bytes, void* data) override;
  void to_host(const void* data, size_t bytes, void* host) override;
  void synchronize() override {}
  void release_unused() override;

  void gemm(const TensorView& a, bool transpose_a, const TensorView& b, bool transpose_b, float alpha, bool accumulate,
            const TensorView& c) override;
  std::shared_ptr<const PackedMatrix> pack(const TensorView& w, bool transposed) override;
  std::shared_ptr<const PackedMatrix> pack_in_place(const TensorView& w, size_t bytes,
                                                    const std::shared_ptr<void>& memory) override;
  void linear_packed(const TensorView& x, const PackedMatrix& w, const TensorView& bias, Activation activation,
                     const TensorView& y) override;
  void packed_rows(const PackedMatrix& w, const TensorView& ids, const TensorView& y) override;

  std::string_view bf16_instructions() const override;
  std::shared_ptr<const PackedMatrix> pack_factor(const TensorView& b, bool transpose, DType dtype,
                                                  int64_t rows) override;
  void gemm_factor(const TensorView& a, bool transpose_a, const PackedMatrix& b, bool accumulate,
                   const TensorView& c) override;
  void linear(const TensorView& x, const PackedMatrix& w, const TensorView& bias, Activation activation,
              const Dropout& dropout, const TensorView& z, const TensorView& y) override;
  void linear_backward(const TensorView& x, const TensorView& w, bool transposed, DType dtype, Activation activation,
                       const Dropout& dropout, const TensorView& kept, const TensorView& dy, bool accumulate_dx,
                       const TensorView& dx, bool accumulate_dw, const TensorView& dw, bool accumulate_dbias,
                       const TensorView& dbias) override;

  void add(const TensorView& a, const TensorView& b, const Dropout& dropout, const TensorView& y) override;
  void multiply(const TensorView& a, const TensorView& b, bool accumulate, const TensorView& y) override;
  void scale(const TensorView& x, float factor, bool accumulate, const TensorView& y) override;
  void scale_by(const TensorView& x, const TensorView& factor, double divisor, bool accumulate,
                const TensorView& y) override;
  void activation(const TensorView& x, Activation kind, const TensorView& y) override;
  void activation_backward(const TensorView& x, const TensorView& dy, Activation kind, bool accumulate,
                           const TensorView& dx) override;
  void dropout(const TensorView& x, const Dropout& dropout, bool accumulate, const TensorView& y) override;
  void transpose(const TensorView& x, const TensorView& y) override;

  void gather_rows(const TensorView& x, const TensorView& rows, const TensorView& y) override;
  void number_last(const TensorView& lengths, int32_t first, const TensorView& y) override;

  void column_sum(const TensorView& x, bool accumulate, const TensorView& y) override;
  double sum(const TensorView& x) override;
  double sum_of_squares(const TensorView& x) override;
  void sum_to(const TensorView& x, double divisor, const TensorView& sum, const TensorView& quotient) override;

  void add_norm(const TensorView& x, const TensorView& f, const Dropout& dropout, NormKind kind, float epsilon,
                const TensorView& gamma, const TensorView& beta, const TensorView& sum, const TensorView& y,
                const TensorView& statistics) override;
  void norm_backward(const TensorView& sum, const TensorView& statistics, NormKind kind, const TensorView& gamma,
                     const TensorView& dy, const TensorView& dsum, const Dropout& dropout, bool accumulate_dx,
                     const TensorView& dx, bool accumulate_df, const TensorView& df, bool accumulate_parameters,
                     const TensorView& dgamma, const TensorView& dbeta) override;

  void softmax(const TensorView& x, const TensorView& y) override;
  void softmax_backward(const TensorView& y, const TensorView& dy, bool accumulate, const TensorView& dx) override;
  void log_softmax(const TensorView& x, const TensorView& y) override;
  void cross_entropy(const TensorView& logits, const TensorView& targets, float smoothing, const TensorView& losses,
                     const TensorView& nll, const TensorView& dlogits) override;
  void log_softmax_top_k(const TensorView& logits, int k, const TensorView& values, const TensorView& indices) override;
  void advance_searches(const SearchBatch& batch, int64_t searches, const TensorView& logits,
                        const TensorView& log_probs, const TensorView& ids) override;

  void embedding(const TensorView& ids, const TensorView& table, float scale, const TensorView& position_ids,
                 const TensorView& positions, const Dropout& dropout, const TensorView& y) override;
  void embedding_backward(std::span<const int32_t> ids, const TensorView& dy, float scale, const Dropout& dropout,
                          int32_t skip, const TensorView& dtable) override;

  void rope(const TensorView& x, const TensorView& position_ids, const TensorView& table, bool inverse, bool accumulate,
            const TensorView& y) override;

  void attention(const TensorView& q, const TensorView& k, const TensorView& v, std::span<const Segment> segments,
                 const AttentionParams& params, const TensorView& y, const TensorView& lse) override;
  void attention_backward(const TensorView& q, const TensorView& k, const TensorView& v, const TensorView& y,
                          const TensorView& lse, const TensorView& dy, std::span<const Segment> segments,
                          const AttentionParams& params, bool accumulate, const TensorView& dq, const TensorView& dk,
                          const TensorView& dv, const TensorView& dbias) override;
  void attention_cached(const TensorView& q, const TensorView& keys, const TensorView& values, const CachedKeys& places,
                        const AttentionParams& params, const TensorView& y) override;
  void attention_probabilities(const TensorView& q, const TensorView& k, const Segment& segment, int head,
                               const AttentionParams& params, const TensorView& probabilities) override;

  void adam(const TensorView& w, const TensorView& dw, const TensorView& m, const TensorView& v,
            std::span<const AdamRun> runs, const AdamParams& params) override;
};

// The process's one CPU backend. On first use HEED_SIMD limits the instructions: to avx512 (without AMX), avx2 or
// scalar.
CpuBackend& cpu_backend();

// So many elements of the backend's memory, for as long as this lives.
class Memory {
 public:
  explicit Memory(int64_t elements, DType dtype = DType::kF32)
      : bytes_(static_cast<size_t>(elements) * size_of(dtype)), data_(cpu_backend().allocate(bytes_)) {}
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() { cpu_backend().deallocate(data_, bytes_); }

  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  size_t bytes_;
  void* data_;
};

// The instruction sets, Highway's bits of them, that kernels may choose from; and whether AMX is among them.
int64_t simd_targets();
bool amx_allowed();

// The instruction set that the kernels chose: "AVX3" (AVX-512), "AVX2" or "Scalar".
std::string simd_name();

}  // namespace heed::cpu
