// Threads: how many a kernel may use, a parallel loop over OpenMP that copes with cores of unequal speed, and a bounded
// queue between a producer and consumers.
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

// How small a part of a loop may be.
struct Grain {
  // Not explicit: most loops have one number.
  Grain(int64_t both) : thread(both), part(both) {}
  Grain(int64_t of_thread, int64_t of_part) : thread(of_thread), part(of_part) {}
  int64_t thread;  // what another thread is worth waking for
  int64_t part;    // what a thread's share may be cut to, for others to take; each part pays for a call of the body
};

// Calls body(begin, end, part) for each of part_count(n, grain) consecutive parts of [0, n), on up to thread_count()
// threads. Each thread begins with a share of its own, the same each time, so that it finds in its cache what it wrote
// there, and then takes parts of others: a core that runs at half speed, because its sibling or another process is
// busy, then holds the others up by a part, not by a share. What a part is never depends on who is done first: sums
// that are kept by part and added in order are the same in each run. Within a body, parallel loops run on its thread
// alone. Rethrows the lowest part's error.
void parallel_for(int64_t n, Grain grain, const std::function<void(int64_t begin, int64_t end, int part)>& body);
// Depends on n, grain and thread_count() alone; at least 1 where n is.
int part_count(int64_t n, Grain grain);
// Within a body: which thread of its loop runs it, below thread_count(); for memory to work in, one for each thread.
int worker_index();

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
