// The calling thread's number of threads, replaced while the object lives.
#pragma once

#include "heed/base/threads.h"

namespace heed::api {

class BorrowedThreads {
 public:
  // 0: as many as OMP_NUM_THREADS says, or as there are cores.
  explicit BorrowedThreads(int count) : before_(thread_count()) { set_thread_count(count); }
  BorrowedThreads(const BorrowedThreads&) = delete;
  BorrowedThreads& operator=(const BorrowedThreads&) = delete;
  ~BorrowedThreads() { set_thread_count(before_); }

 private:
  const int before_;
};

}  // namespace heed::api
