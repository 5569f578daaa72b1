// The likeliest next tokens of each row of logits, after the processors: what a step of beam search chooses from.
//
// Where the processors only name ids that must not come, nothing is copied or changed: the backend's top-k is asked for
// that many more, and the banned ones are passed over. The log-probabilities are those of the model's whole vocabulary,
// banned ids included, as Hugging Face's beam search has it. A row's result does not depend on the rows beside it.
// Objects keep their buffers from step to step and belong to one thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "heed/decode/processors.h"
#include "heed/tensor/tensor.h"

namespace heed::decode {

// Next tokens of one row, descending by log-probability, ties by ascending id.
struct Candidates {
  std::span<const float> log_probs;
  std::span<const int32_t> ids;
};

// A tensor of f32 [rows, cols] that the host can read and write: its own memory or, where it lies elsewhere, a copy
// that is made when a row is first asked for. row() is thread-safe.
class HostRows {
 public:
  void attach(const Tensor& tensor);
  std::span<float> row(int i) {
    if (!data_.load(std::memory_order_acquire)) fetch();
    return {data_.load(std::memory_order_relaxed) + i * stride_, static_cast<size_t>(cols_)};
  }

 private:
  void fetch();

  Tensor tensor_;  // keeps the memory
  std::mutex mutex_;
  std::vector<float> copy_;
  std::atomic<float*> data_ = nullptr;  // nullptr: not brought here yet
  int64_t stride_ = 0, cols_ = 0;
};

// Backend::log_softmax_top_k with its result on the host.
class BackendTopK {
 public:
  // k at most the number of columns.
  void run(const Tensor& logits, int k);
  int k() const { return k_; }
  // Those of the last run; may be written over.
  std::span<float> log_probs(int row) { return std::span(log_probs_).subspan(begin_of(row), static_cast<size_t>(k_)); }
  std::span<int32_t> ids(int row) { return std::span(ids_).subspan(begin_of(row), static_cast<size_t>(k_)); }

 private:
  size_t begin_of(int row) const { return static_cast<size_t>(row) * static_cast<size_t>(k_); }

  std::shared_ptr<Storage> memory_;  // of the last run's values, then their indices; as large as ever needed
  std::vector<float> host_;          // a copy of it, where it is not the host's
  std::span<float> log_probs_;
  std::span<int32_t> ids_;
  int k_ = 0;
};

// Writes the k largest of `x` that are not -inf, descending, ties to the lower index; returns how many these are.
int top_k(std::span<const float> x, int k, std::vector<std::pair<float, int32_t>>& scratch, std::span<float> values,
          std::span<int32_t> ids);

class CandidateFinder {
 public:
  // Finds up to `per_row` candidates for each row. `processors` must outlive it.
  CandidateFinder(const Processors& processors, int per_row);

  // Row i of the logits continues sequences[i]; rows with a null pointer are passed over. Throws Error if a row's
  // logits are not numbers.
  void find(const Tensor& logits, std::span<const Sequence* const> sequences);
  // Of the last find: at most `per_row`, fewer where fewer have a probability above 0.
  Candidates row(int i);

 private:
  void collect_bans(std::span<const Sequence* const> sequences);
  void filter(int row, const Sequence& sequence);
  void process(const Tensor& logits, std::span<const Sequence* const> sequences);
  void check_numbers(std::span<const Sequence* const> sequences);

  const Processors& processors_;
  const int per_row_;
  BackendTopK best_;
  std::vector<int> counts_;          // candidates of each row
  std::vector<int32_t> banned_;      // of all rows, one behind the other
  std::vector<size_t> ban_offsets_;  // row i has banned_[ban_offsets_[i] .. ban_offsets_[i + 1])
  std::vector<int32_t> row_ids_;     // bans or forced ids of one row
  size_t most_banned_ = 0;           // in one row
  HostRows host_;
  struct Worker {
    Scratch scratch;
    std::vector<float> log_probs;
  };
  std::vector<Worker> workers_;  // one per thread
};

}  // namespace heed::decode
