#include "heed/decode/candidates.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "heed/base/threads.h"
#include "heed/core/search_step.h"
#include "heed/tensor/backends.h"

namespace heed::decode {
namespace {

// More bans than this cost the backend's top-k more than a pass over the row.
constexpr size_t kMostPassedOver = 64;
// Logits that are worth waking another thread for, at about a nanosecond each.
constexpr int64_t kLogitsPerThread = 1 << 14;

}  // namespace

void HostRows::attach(const Tensor& tensor) {
  tensor_ = tensor;
  cols_ = tensor.shape().cols();
  const bool here = tensor.device().is_host();
  stride_ = here ? tensor.view().row_stride : cols_;
  data_ = here ? tensor.data<float>() : nullptr;
}

void HostRows::fetch() {
  const std::lock_guard lock(mutex_);
  if (data_) return;
  copy_ = tensor_.to_vector<float>();
  data_.store(copy_.data(), std::memory_order_release);
}

void BackendTopK::run(const Tensor& logits, int k) {
  k_ = k;
  const Device device = logits.device();
  const int64_t rows = logits.shape().rows();
  const auto count = static_cast<size_t>(rows * k);
  // Both in one block, so that one transfer brings them.
  const size_t bytes = count * (sizeof(float) + sizeof(int32_t));
  if (!memory_ || memory_->bytes() < bytes || memory_->device() != device)
    memory_ = std::make_shared<Storage>(bytes, device);
  const Tensor values = Tensor::on_storage(memory_, 0, {rows, k}, DType::kF32);
  const Tensor indices = Tensor::on_storage(memory_, count * sizeof(float), {rows, k}, DType::kI32);
  backend(device).log_softmax_top_k(logits.view(), k, values.view(), indices.view());
  std::byte* found = memory_->data();
  if (!device.is_host()) {
    host_.resize(bytes / sizeof(float));
    backend(device).to_host(found, bytes, host_.data());
    found = reinterpret_cast<std::byte*>(host_.data());
  }
  log_probs_ = {reinterpret_cast<float*>(found), count};
  ids_ = {reinterpret_cast<int32_t*>(found + count * sizeof(float)), count};
}

int top_k(std::span<const float> x, int k, std::vector<std::pair<float, int32_t>>& scratch, std::span<float> values,
          std::span<int32_t> ids) {
  // A heap of the k best so far with the worst of them in front.
  const auto better = [](const auto& a, const auto& b) {
    return a.first > b.first || (a.first == b.first && a.second < b.second);
  };
  const auto most = static_cast<size_t>(k);
  scratch.clear();
  float least = -std::numeric_limits<float>::infinity();
  for (size_t i = 0; i < x.size(); ++i) {
    if (!(x[i] > least)) continue;
    if (scratch.size() == most) {
      std::pop_heap(scratch.begin(), scratch.end(), better);
      scratch.pop_back();
    }
    scratch.emplace_back(x[i], static_cast<int32_t>(i));
    std::push_heap(scratch.begin(), scratch.end(), better);
    if (scratch.size() == most) least = scratch.front().first;
  }
  std::sort_heap(scratch.begin(), scratch.end(), better);
  for (size_t i = 0; i < scratch.size(); ++i) {
    values[i] = scratch[i].first;
    ids[i] = scratch[i].second;
  }
  return static_cast<int>(scratch.size());
}

CandidateFinder::CandidateFinder(const Processors& processors, int per_row)
    : processors_(processors), per_row_(per_row) {}

Candidates CandidateFinder::row(int i) {
  const auto count = static_cast<size_t>(counts_[static_cast<size_t>(i)]);
  return {best_.log_probs(i).first(count), best_.ids(i).first(count)};
}

void CandidateFinder::find(const Tensor& logits, std::span<const Sequence* const> sequences) {
  const int64_t vocab = logits.shape().cols();
  counts_.assign(sequences.size(), 0);
  collect_bans(sequences);
  const bool general = processors_.changes_logits() || most_banned_ > kMostPassedOver;
  const size_t wanted = static_cast<size_t>(per_row_) + (general ? 0 : most_banned_);
  best_.run(logits, static_cast<int>(std::min<int64_t>(static_cast<int64_t>(wanted), vocab)));
  check_numbers(sequences);
  if (general) return process(logits, sequences);
  for (size_t i = 0; i < sequences.size(); ++i)
    if (sequences[i]) filter(static_cast<int>(i), *sequences[i]);
}

void CandidateFinder::collect_bans(std::span<const Sequence* const> sequences) {
  banned_.clear();
  ban_offsets_.assign(1, 0);
  most_banned_ = 0;
  for (const Sequence* sequence : sequences) {
    if (sequence) {
      processors_.ban(*sequence, row_ids_);
      banned_.insert(banned_.end(), row_ids_.begin(), row_ids_.end());
      most_banned_ = std::max(most_banned_, row_ids_.size());
    }
    ban_offsets_.push_back(banned_.size());
  }
}

void CandidateFinder::check_numbers(std::span<const Sequence* const> sequences) {
  for (size_t i = 0; i < sequences.size(); ++i)
    check(!sequences[i] || !std::isnan(best_.log_probs(static_cast<int>(i))[0]),
          "decoding: the logits of token {} of an output are not numbers", sequences[i] ? sequences[i]->length : 0);
}

// Takes the banned ones out of the backend's best, or puts the forced ones in their place.
void CandidateFinder::filter(int row, const Sequence& sequence) {
  const auto log_probs = best_.log_probs(row);
  const auto ids = best_.ids(row);
  const auto index = static_cast<size_t>(row);
  size_t count = 0;
  if (processors_.force(sequence, row_ids_)) {
    count = std::min(row_ids_.size(), static_cast<size_t>(per_row_));
    std::fill_n(log_probs.begin(), count, 0.0f);
    std::copy_n(row_ids_.begin(), count, ids.begin());
  } else {
    const auto banned = std::span(banned_).subspan(ban_offsets_[index], ban_offsets_[index + 1] - ban_offsets_[index]);
    for (size_t i = 0; i < ids.size() && count < static_cast<size_t>(per_row_); ++i) {
      if (!(log_probs[i] > -std::numeric_limits<float>::infinity()) ||
          is_among(ids[i], banned.data(), static_cast<int32_t>(banned.size())))
        continue;
      log_probs[count] = log_probs[i];
      ids[count++] = ids[i];
    }
  }
  counts_[index] = static_cast<int>(count);
}

// The general way: the row's log-probabilities, the processors on them, the best of what comes out.
void CandidateFinder::process(const Tensor& logits, std::span<const Sequence* const> sequences) {
  host_.attach(logits);
  workers_.resize(static_cast<size_t>(thread_count()));
  const int64_t grain = 1 + kLogitsPerThread / logits.shape().cols();
  parallel_for(static_cast<int64_t>(sequences.size()), grain, [&](int64_t begin, int64_t end, int) {
    Worker& worker = workers_[static_cast<size_t>(worker_index())];
    for (int64_t r = begin; r < end; ++r) {
      const Sequence* sequence = sequences[static_cast<size_t>(r)];
      if (!sequence) continue;
      const int row = static_cast<int>(r);
      const auto x = host_.row(row);
      const float log_total = x[static_cast<size_t>(best_.ids(row)[0])] - best_.log_probs(row)[0];
      worker.log_probs.resize(x.size());
      for (size_t i = 0; i < x.size(); ++i) worker.log_probs[i] = x[i] - log_total;
      processors_.apply(*sequence, worker.log_probs, worker.scratch);
      const int k = std::min(per_row_, best_.k());
      counts_[static_cast<size_t>(r)] =
          top_k(worker.log_probs, k, worker.scratch.order, best_.log_probs(row), best_.ids(row));
    }
  });
}

}  // namespace heed::decode
