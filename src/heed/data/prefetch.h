// Batches prepared ahead by a thread, so that compute does not wait for text. The sequence starts at any cursor, runs
// through the batches of its epoch and on through the next epochs, without end.
//
// As a batch is a pure function of its cursor, preparing ahead changes nothing. next() is for one consumer at a time;
// the object may be destroyed at any moment, which waits for the batch in preparation.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <thread>
#include <utility>
#include <variant>

#include "heed/base/error.h"
#include "heed/base/threads.h"
#include "heed/data/batches.h"

namespace heed::data {

// A place in a training: batch `batch` of epoch `epoch`, both from 0.
struct Cursor {
  uint64_t epoch = 0, batch = 0;
  auto operator<=>(const Cursor&) const = default;
};

// Where batches come from; both functions are called on the preparing thread.
template <class Batch>
struct BatchSourceOf {
  std::function<uint64_t(uint64_t epoch)> batches;             // how many the epoch has
  std::function<Batch(uint64_t epoch, uint64_t batch)> batch;  // one of them
};

template <class Batch>
struct PreparedBatchOf {
  Cursor cursor;  // of this batch, whatever else is already prepared
  Batch batch;
  bool last_in_epoch = false;
};

template <class Batch>
class PrefetcherOf {
 public:
  // Starts preparing at once, at most `ahead` >= 1 batches beside the one in the making. A start just behind an epoch's
  // last batch means the next epoch's first.
  PrefetcherOf(BatchSourceOf<Batch> source, Cursor start, size_t ahead) : source_(std::move(source)), queue_(ahead) {
    check<UsageError>(ahead >= 1, "prefetch: {} batches ahead, expected at least 1", ahead);
    thread_ = std::jthread([this, start] {
      try {
        run(start);
      } catch (...) {
        queue_.push(std::current_exception());
      }
    });
  }
  PrefetcherOf(const PrefetcherOf&) = delete;
  PrefetcherOf& operator=(const PrefetcherOf&) = delete;
  ~PrefetcherOf() { queue_.close(); }

  // The next batch, waiting for it if need be. What the source threw is thrown here once the batches before it are
  // handed out, and by every later call; also DataError for an epoch without batches and for a start beyond its epoch.
  PreparedBatchOf<Batch> next() {
    if (error_) std::rethrow_exception(error_);
    auto item = queue_.pop();  // never nothing: the queue is closed by the destructor alone
    if (auto* error = std::get_if<std::exception_ptr>(&*item)) {
      error_ = *error;
      std::rethrow_exception(error_);
    }
    return std::get<PreparedBatchOf<Batch>>(std::move(*item));
  }

 private:
  void run(Cursor cursor) {
    uint64_t count = source_.batches(cursor.epoch);
    check<DataError>(cursor.batch <= count, "epoch {} has {} batches, cannot start at batch {}: is it another corpus?",
                     cursor.epoch, count, cursor.batch);
    for (;;) {
      check<DataError>(count > 0, "epoch {} has no batches", cursor.epoch);
      for (; cursor.batch < count; ++cursor.batch) {
        PreparedBatchOf<Batch> prepared{cursor, source_.batch(cursor.epoch, cursor.batch), cursor.batch + 1 == count};
        if (!queue_.push(std::move(prepared))) return;
      }
      cursor = {cursor.epoch + 1, 0};
      count = source_.batches(cursor.epoch);
    }
  }

  BatchSourceOf<Batch> source_;
  BoundedQueue<std::variant<PreparedBatchOf<Batch>, std::exception_ptr>> queue_;
  std::exception_ptr error_;  // of the consumer alone
  std::jthread thread_;       // last, so that it ends before what it uses
};

// Of parallel text.
using BatchSource = BatchSourceOf<ParallelBatch>;
using PreparedBatch = PreparedBatchOf<ParallelBatch>;
using Prefetcher = PrefetcherOf<ParallelBatch>;

// The source that asks `batches`, which must outlive it.
BatchSource source_of(const ParallelBatches& batches);

}  // namespace heed::data
