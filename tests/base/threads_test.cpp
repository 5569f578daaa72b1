#include "heed/base/threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

namespace heed {
namespace {

TEST(Threads, ParallelForCoversEachIndexOnce) {
  for (const int threads : {1, 2, 3, 4}) {
    set_thread_count(threads);
    for (const int64_t n : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> hits(static_cast<size_t>(n));
      parallel_for(n, 3, [&](int64_t begin, int64_t end, int) {
        for (int64_t i = begin; i < end; ++i) ++hits[static_cast<size_t>(i)];
      });
      for (const auto& h : hits) EXPECT_EQ(h, 1);
    }
  }
  set_thread_count(0);
}

TEST(Threads, ParallelForThrowsTheFirstErrorWhateverTheThreads) {
  for (const int threads : {1, 2, 4}) {
    set_thread_count(threads);
    std::string reason;
    try {
      parallel_for(100, 1, [](int64_t begin, int64_t end, int) {
        for (int64_t i = begin; i < end; ++i)
          if (i % 30 == 29) throw std::runtime_error("at " + std::to_string(i));
      });
    } catch (const std::runtime_error& error) {
      reason = error.what();
    }
    EXPECT_EQ(reason, "at 29") << threads;
  }
  set_thread_count(0);
}

#ifdef _OPENMP
TEST(Threads, CountBelongsToTheCallingThread) {
  set_thread_count(2);
  int inside = 0;
  std::thread([&] {
    set_thread_count(5);
    inside = thread_count();
  }).join();
  EXPECT_EQ(inside, 5);
  EXPECT_EQ(thread_count(), 2);
  set_thread_count(0);
}
#endif

TEST(Threads, QueueKeepsOrderAndBound) {
  BoundedQueue<int> queue(2);
  std::thread producer([&] {
    for (int i = 0; i < 100; ++i) queue.push(i);
    queue.close();
  });
  int expected = 0;
  while (auto item = queue.pop()) EXPECT_EQ(*item, expected++);
  EXPECT_EQ(expected, 100);
  producer.join();
}

TEST(Threads, ClosedQueueReleasesAWaitingProducer) {
  BoundedQueue<int> queue(1);
  queue.push(0);
  bool accepted = true;
  std::thread producer([&] { accepted = queue.push(1); });
  queue.close();
  producer.join();
  EXPECT_FALSE(accepted);
}

}  // namespace
}  // namespace heed
