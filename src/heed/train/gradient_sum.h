// The sum of the gradients of all processes, begun while the backward still runs.
//
// The flat gradient is cut into buckets of whole leaves. A bucket is sent as soon as all its leaves are final; as every
// process must send them in the same order, that of the backward (from the last leaf to the first), a bucket waits for
// those before it.
#pragma once

#include <unordered_map>
#include <vector>

#include "heed/nn/parameters.h"
#include "heed/train/exchange.h"

namespace heed::train {

class GradientSum {
 public:
  // Both must outlive the object.
  GradientSum(Exchange& exchange, const nn::ParameterStore& parameters);

  void begin();                        // before the backward whose gradients are the last of the step
  void ready(const TensorBody& leaf);  // this leaf's gradient is final; for backward()'s hook
  void finish();                       // sends what is left; then the gradients are those of all

 private:
  struct Bucket {
    int64_t begin = 0, end = 0;  // in the flat buffer
    int leaves = 0, missing = 0;
  };
  void send_complete();

  Exchange& exchange_;
  const nn::ParameterStore& parameters_;
  std::vector<Bucket> buckets_;  // from the end of the buffer to its begin
  std::unordered_map<const TensorBody*, size_t> bucket_of_;
  size_t next_ = 0;  // the bucket to be sent next
};

}  // namespace heed::train
