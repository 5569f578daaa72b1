// Weight: a matrix that inputs are multiplied by, with the forms derived from it.
//
// The master is what training updates; the packed form is what inference multiplies by. It is made on first use without
// gradients and made again after the master's version changed. Thread-safe for concurrent inference.
#pragma once

#include <memory>
#include <mutex>

#include "heed/core/backend.h"
#include "heed/tensor/tensor.h"

namespace heed::ops {

class Weight {
 public:
  Weight() : derived_(std::make_shared<Derived>()) {}
  // `transposed`: stored [in, out] (as GPT-2 does) rather than [out, in].
  explicit Weight(Tensor master, bool transposed = false)
      : master_(std::move(master)), transposed_(transposed), derived_(std::make_shared<Derived>()) {}

  const Tensor& master() const { return master_; }
  bool transposed() const { return transposed_; }
  int64_t out_features() const { return transposed_ ? master_.dim(1) : master_.dim(0); }
  int64_t in_features() const { return transposed_ ? master_.dim(0) : master_.dim(1); }
  // Whether training computes its products in bf16.
  bool in_bf16() const { return master_.body()->product == DType::kBF16; }
  // The packed form of the master as it is now.
  std::shared_ptr<const PackedMatrix> packed() const;

 private:
  struct Derived {
    std::mutex mutex;
    std::shared_ptr<const PackedMatrix> packed;
    uint64_t version = 0;
  };

  Tensor master_;
  bool transposed_ = false;
  std::shared_ptr<Derived> derived_;
};

}  // namespace heed::ops
