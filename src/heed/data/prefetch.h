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
#include <variant>

#include "heed/base/threads.h"
#include "heed/data/batches.h"

namespace heed::data {

// A place in a training: batch `batch` of epoch `epoch`, both from 0.
struct Cursor {
  uint64_t epoch = 0, batch = 0;
  auto operator<=>(const Cursor&) const = default;
};

// Where batches come from; both functions are called on the preparing thread.
struct BatchSource {
  std::function<uint64_t(uint64_t epoch)> batches;                     // how many the epoch has
  std::function<ParallelBatch(uint64_t epoch, uint64_t batch)> batch;  // one of them
};

// The source that asks `batches`, which must outlive it.
BatchSource source_of(const ParallelBatches& batches);

struct PreparedBatch {
  Cursor cursor;  // of this batch, whatever else is already prepared
  ParallelBatch batch;
  bool last_in_epoch = false;
};

class Prefetcher {
 public:
  // Starts preparing at once, at most `ahead` >= 1 batches beside the one in the making. A start just behind an epoch's
  // last batch means the next epoch's first.
  Prefetcher(BatchSource source, Cursor start, size_t ahead);
  Prefetcher(const Prefetcher&) = delete;
  Prefetcher& operator=(const Prefetcher&) = delete;
  ~Prefetcher();

  // The next batch, waiting for it if need be. What the source threw is thrown here once the batches before it are
  // handed out, and by every later call; also DataError for an epoch without batches and for a start beyond its epoch.
  PreparedBatch next();

 private:
  void run(Cursor cursor);

  BatchSource source_;
  BoundedQueue<std::variant<PreparedBatch, std::exception_ptr>> queue_;
  std::exception_ptr error_;  // of the consumer alone
  std::jthread thread_;       // last, so that it ends before what it uses
};

}  // namespace heed::data
