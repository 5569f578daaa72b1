// Weight: a matrix that inputs are multiplied by, with the forms derived from it.
//
// The master is what training updates, in f32; the packed form is what inference multiplies by. It is made on first use
// without gradients and made again after the master's version changed. A model that was loaded for inference keeps one
// of the two: masters are f32 or bf16, which the packed form then is as well, and those that nothing else reads are
// given up once they are packed. (An embedding table that is the output's weight too is then read in
// the packed form.) Thread-safe for concurrent inference.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "heed/core/backend.h"
#include "heed/tensor/tensor.h"

namespace heed::ops {

struct Adapter;

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
  // What training rounds the factors of its products to: f32 or bf16.
  DType product_dtype() const { return master_.body()->product; }
  // The packed form of the master as it is now.
  std::shared_ptr<const PackedMatrix> packed() const;
  // Lets packed() give the master's memory up; its values cannot be read afterwards but by rows(). Holds for all copies
  // of this Weight.
  void give_up_when_packed() const { derived_->gives_up = true; }
  // What the rows of the weight [out, in] are read from: the master or, if that was given up, the packed form. Either
  // stays valid as long as it is held.
  struct Rows {
    Tensor master;                               // undefined: given up
    std::shared_ptr<const PackedMatrix> packed;  // then, on
    Device device;
  };
  Rows rows() const;
  Device device() const;

  // Low-rank adapters, whose results are added to the product; in the order of their columns. All copies of this Weight
  // share them. Not to be set while the weight is in use.
  void set_adapters(std::vector<Adapter> adapters) const;
  const std::vector<Adapter>& adapters() const;
  // Whether one of them drops inputs in training.
  bool adapters_drop() const;

 private:
  std::shared_ptr<const PackedMatrix> pack() const;

  struct Derived {
    std::mutex mutex;
    std::shared_ptr<const PackedMatrix> packed;
    Device device;  // that it is on
    uint64_t version = 0;
    bool gives_up = false;
    std::shared_ptr<const std::vector<Adapter>> adapters;
  };

  Tensor master_;
  bool transposed_ = false;
  std::shared_ptr<Derived> derived_;
};

// y[:, first .. first + count) += scale dropout(x) a^T b^T (Hu et al. 2021, section 4.1)
struct Adapter {
  int64_t first = 0, count = 0;
  Weight a, b;  // [rank, in], [count, rank]
  float scale = 1;
  float dropout = 0;
  uint32_t site = 0;  // of that dropout
};

}  // namespace heed::ops
