// Products of inference with a weight of bf16 or f16, on tensor cores.
#pragma once

#include "heed/cuda/cuda_backend.h"

namespace heed::cuda {

// A weight [out, in] of bf16 or f16, each row padded by zeros to a multiple of 16 bytes.
class NarrowWeight final : public PackedMatrix {
 public:
  // w, in one of the two types, is [out, in] or, if `transposed`, [in, out].
  NarrowWeight(CudaBackend& backend, const TensorView& w, bool transposed);
  int64_t out_features() const override { return out_; }
  int64_t in_features() const override { return in_; }
  TensorView view() const { return {memory_.as<void>(), dtype_, {out_, in_}, stride_}; }

 private:
  DType dtype_;
  int64_t out_, in_, stride_;
  Scratch memory_;
};

// y = act(x w^T + bias), x rounded to the weight's type, sums and y in f32. Each element is one chain of sums over
// sixteen of `in` at a time, in order, whatever the batch.
void multiply_narrow(cudaStream_t stream, const TensorView& x, const NarrowWeight& w, const TensorView& bias,
                     Activation kind, const TensorView& y);

}  // namespace heed::cuda
