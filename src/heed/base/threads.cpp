#include "heed/base/threads.h"

#include <sched.h>

#include <algorithm>
#include <exception>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace heed {
namespace {

thread_local int chosen_threads = 0;  // 0: the environment's choice

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

void parallel_for(int64_t n, int64_t grain, const std::function<void(int64_t, int64_t, int)>& body) {
  if (n <= 0) return;
  const int64_t chunks = std::clamp<int64_t>(n / std::max<int64_t>(grain, 1), 1, thread_count());
  if (chunks == 1) return body(0, n, 0);
  // No exception may leave an OpenMP region.
  std::mutex mutex;
  std::exception_ptr error;  // of the lowest chunk
  int64_t failed = chunks;
  const auto run = [&](int64_t i) {
    try {
      body(n * i / chunks, n * (i + 1) / chunks, static_cast<int>(i));
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (i < failed) error = std::current_exception();
      failed = std::min(failed, i);
    }
  };
#pragma omp parallel for schedule(static, 1) num_threads(static_cast <int>(chunks))
  for (int64_t i = 0; i < chunks; ++i) run(i);
  if (error) std::rethrow_exception(error);
}

}  // namespace heed
