#include "heed/base/threads.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <utility>
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

TEST(Threads, PartsFollowOneAnotherAndAreAsManyAsCounted) {
  for (const int threads : {1, 2, 3}) {
    set_thread_count(threads);
    for (const int64_t n : {0, 1, 5, 64, 1000})
      for (const Grain grain : {Grain(1), Grain(10), Grain(2, 50)}) {
        const auto parts = static_cast<size_t>(part_count(n, grain));
        std::vector<std::pair<int64_t, int64_t>> found(parts);
        std::atomic<int> strangers = 0;
        parallel_for(n, grain, [&](int64_t begin, int64_t end, int part) {
          found.at(static_cast<size_t>(part)) = {begin, end};
          strangers += worker_index() < 0 || worker_index() >= threads;
        });
        EXPECT_EQ(strangers, 0);
        int64_t next = 0;
        for (const auto& [begin, end] : found) {
          EXPECT_EQ(begin, next);
          EXPECT_TRUE(parts == 1 || end - begin >= std::min(grain.thread, grain.part));
          next = end;
        }
        EXPECT_EQ(next, n);
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
// A thread that comes no further holds up its part alone: here it waits for all the others.
TEST(Threads, PartsOfASlowThreadAreTaken) {
  set_thread_count(2);
  const int parts = part_count(1000, 1);
  ASSERT_GT(parts, 2);
  std::atomic<int> done = 0;
  std::atomic<bool> alone = true;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  parallel_for(1000, 1, [&](int64_t, int64_t, int) {
    if (worker_index() == 1) {
      while (done < parts - 1 && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
      alone = alone && done == parts - 1;
    }
    ++done;
  });
  EXPECT_EQ(done, parts);
  EXPECT_TRUE(alone);
  set_thread_count(0);
}

TEST(Threads, LoopsWithinALoopRunOnItsThread) {
  set_thread_count(2);
  std::atomic<int> total = 0, strangers = 0;
  parallel_for(64, 1, [&](int64_t begin, int64_t end, int) {
    const auto self = std::this_thread::get_id();
    parallel_for(end - begin, 1, [&](int64_t b, int64_t e, int) {
      strangers += std::this_thread::get_id() != self;
      total += static_cast<int>(e - b);
    });
  });
  EXPECT_EQ(total, 64);
  EXPECT_EQ(strangers, 0);
  set_thread_count(0);
}

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
