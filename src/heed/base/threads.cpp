#include "heed/base/threads.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace heed {
namespace {

thread_local int chosen_threads = 0;  // 0: the environment's choice

// Parts of a thread's share. Of the 16 that two threads then have, one of half the other's speed does 5 and the other
// 11, in 11/16 of the time that two shares would take; 2/3 would be the best.
constexpr int64_t kMostParts = 8;

// [0, n) as shares of `threads`, each of `parts`.
struct Shares {
  int64_t threads, parts;
};

Shares shares_of(int64_t n, Grain grain) {
  const int64_t threads = std::clamp<int64_t>(n / std::max<int64_t>(grain.thread, 1), 1, thread_count());
  if (threads == 1) return {1, 1};
  return {threads, std::clamp<int64_t>(n / (std::max<int64_t>(grain.part, 1) * threads), 1, kMostParts)};
}

// How many parts of a share are taken, on a cache line of its own.
struct alignas(64) Taken {
  std::atomic<int64_t> parts = 0;
};

}  // namespace

int core_count() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

int thread_count() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
}

void set_thread_count(int count) {
#ifdef _OPENMP
  static const int initial = omp_get_max_threads();
  chosen_threads = count;
  omp_set_num_threads(count > 0 ? count : initial);
#else
  chosen_threads = count;
#endif
}

int worker_index() {
#ifdef _OPENMP
  return omp_get_thread_num();
#else
  return 0;
#endif
}

int part_count(int64_t n, Grain grain) {
  const Shares shares = shares_of(n, grain);
  return n > 0 ? static_cast<int>(shares.threads * shares.parts) : 0;
}

void parallel_for(int64_t n, Grain grain, const std::function<void(int64_t, int64_t, int)>& body) {
  if (n <= 0) return;
  const Shares shares = shares_of(n, grain);
  const int64_t threads = shares.threads, parts = shares.parts, all = threads * parts;
  if (all == 1) return body(0, n, 0);
  // No exception may leave an OpenMP region.
  std::mutex mutex;
  std::exception_ptr error;  // of the lowest part
  int64_t failed = all;
  const auto run = [&](int64_t i) {
    try {
      body(n * i / all, n * (i + 1) / all, static_cast<int>(i));
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (i < failed) error = std::current_exception();
      failed = std::min(failed, i);
    }
  };
  std::vector<Taken> taken(static_cast<size_t>(threads));
  const auto work = [&](int64_t self) {
    for (int64_t turn = 0; turn < threads; ++turn) {
      const int64_t owner = (self + turn) % threads;
      auto& next = taken[static_cast<size_t>(owner)].parts;
      for (int64_t i = 0; (i = next.fetch_add(1, std::memory_order_relaxed)) < parts;) run(owner * parts + i);
    }
  };
#pragma omp parallel num_threads(static_cast <int>(threads))
  work(worker_index());
  if (error) std::rethrow_exception(error);
}

}  // namespace heed
