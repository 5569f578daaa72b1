// Threads: how many a kernel may use, a parallel loop over OpenMP, and a bounded queue between a producer and
// consumers.
//
// The number of threads belongs to the calling thread (each decoding worker sets its own), as in OpenMP.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

namespace heed {

// Threads that kernels started by this thread use. set_thread_count(0) returns to OMP_NUM_THREADS or the core count.
int thread_count();
void set_thread_count(int count);

// Cores this process may run on.
int core_count();

// Calls body(begin, end, thread) over a partition of [0, n), which depends on n, grain and thread count alone, on up to
// thread_count() threads; only the first chunk may be smaller than `grain`. Rethrows the lowest chunk's error.
void parallel_for(int64_t n, int64_t grain, const std::function<void(int64_t begin, int64_t end, int thread)>& body);

// A first-in-first-out queue of at most `capacity` items between threads.
template <class T>
class BoundedQueue {
 public:
  explicit BoundedQueue(size_t capacity) : capacity_(capacity) {}

  // Waits for room; false if the queue was closed (the item is then dropped).
  bool push(T item) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return items_.size() < capacity_ || closed_; });
    if (closed_) return false;
    items_.push_back(std::move(item));
    filled_.notify_one();
    return true;
  }

  // Waits for an item; nothing once the queue is closed and empty.
  std::optional<T> pop() {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [&] { return !items_.empty() || closed_; });
    if (items_.empty()) return std::nullopt;
    std::optional<T> item(std::move(items_.front()));
    items_.pop_front();
    room_.notify_one();
    return item;
  }

  // No more items come: waiting pushes return false, pops drain what is left.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    room_.notify_all();
    filled_.notify_all();
  }

 private:
  size_t capacity_;
  std::mutex mutex_;
  std::condition_variable room_, filled_;
  std::deque<T> items_;
  bool closed_ = false;
};

}  // namespace heed
