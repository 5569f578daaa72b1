#include "heed/data/prefetch.h"

#include <utility>

#include "heed/base/error.h"

namespace heed::data {

BatchSource source_of(const ParallelBatches& batches) {
  return {[&batches](uint64_t epoch) { return batches.batches(epoch); },
          [&batches](uint64_t epoch, uint64_t batch) { return batches.batch(epoch, batch); }};
}

Prefetcher::Prefetcher(BatchSource source, Cursor start, size_t ahead) : source_(std::move(source)), queue_(ahead) {
  check<UsageError>(ahead >= 1, "prefetch: {} batches ahead, expected at least 1", ahead);
  thread_ = std::jthread([this, start] {
    try {
      run(start);
    } catch (...) {
      queue_.push(std::current_exception());
    }
  });
}

Prefetcher::~Prefetcher() { queue_.close(); }

PreparedBatch Prefetcher::next() {
  if (error_) std::rethrow_exception(error_);
  auto item = queue_.pop();  // never nothing: the queue is closed by the destructor alone
  if (auto* error = std::get_if<std::exception_ptr>(&*item)) {
    error_ = *error;
    std::rethrow_exception(error_);
  }
  return std::get<PreparedBatch>(std::move(*item));
}

void Prefetcher::run(Cursor cursor) {
  uint64_t count = source_.batches(cursor.epoch);
  check<DataError>(cursor.batch <= count, "epoch {} has {} batches, cannot start at batch {}: is it another corpus?",
                   cursor.epoch, count, cursor.batch);
  for (;;) {
    check<DataError>(count > 0, "epoch {} has no batches", cursor.epoch);
    for (; cursor.batch < count; ++cursor.batch) {
      PreparedBatch prepared{cursor, source_.batch(cursor.epoch, cursor.batch), cursor.batch + 1 == count};
      if (!queue_.push(std::move(prepared))) return;
    }
    cursor = {cursor.epoch + 1, 0};
    count = source_.batches(cursor.epoch);
  }
}

}  // namespace heed::data
