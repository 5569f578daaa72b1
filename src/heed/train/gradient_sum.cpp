#include "heed/train/gradient_sum.h"

namespace heed::train {
namespace {

constexpr int64_t kBucket = int64_t{1} << 20;  // numbers: large enough for bandwidth, small enough to begin early

}  // namespace

GradientSum::GradientSum(Exchange& exchange, const nn::ParameterStore& parameters)
    : exchange_(exchange), parameters_(parameters) {
  // What lies between the leaves is sent too, and no backward writes there.
  const Tensor& all = parameters.gradients();
  backend(all.device()).fill(all.view(), 0);
  std::vector<const TensorBody*> leaves;
  for (const auto& [name, tensor] : parameters.named()) {
    const TensorBody* body = tensor.body().get();
    const bool is_leaf = body->storage == parameters.values().body()->storage;  // not a constant
    if (is_leaf && (leaves.empty() || leaves.back() != body)) leaves.push_back(body);
  }
  int64_t end = parameters.values().numel();
  for (size_t i = leaves.size(); i-- > 0;) {
    const auto begin = static_cast<int64_t>(leaves[i]->byte_offset / sizeof(float));
    if (buckets_.empty() || buckets_.back().end - buckets_.back().begin >= kBucket) buckets_.push_back({begin, end});
    Bucket& bucket = buckets_.back();
    bucket.begin = begin;
    bucket.leaves += leaves[i]->requires_grad;  // nobody waits for a frozen one
    bucket_of_[leaves[i]] = buckets_.size() - 1;
    end = begin;
  }
}

void GradientSum::begin() {
  for (Bucket& bucket : buckets_) bucket.missing = bucket.leaves;
  next_ = 0;
}

void GradientSum::ready(const TensorBody& leaf) {
  const auto at = bucket_of_.find(&leaf);
  if (at == bucket_of_.end()) return;  // a leaf that is no parameter
  --buckets_[at->second].missing;
  send_complete();
  exchange_.progress();
}

void GradientSum::send_complete() {
  for (; next_ < buckets_.size() && buckets_[next_].missing <= 0; ++next_)
    exchange_.begin_sum(parameters_.gradients(), buckets_[next_].begin, buckets_[next_].end);
}

void GradientSum::finish() {
  for (Bucket& bucket : buckets_) bucket.missing = 0;
  send_complete();
  exchange_.finish();
}

}  // namespace heed::train
