// For inference on a stream: a window of lines is cut into groups of like length, which are computed in any order and
// by any worker, and their results are written in the order of the lines.
//
// The caller reads up to a window's lines, calls length_groups on their lengths, and puts each result, with its line's
// number in the stream, into an InOrder, which hands out what is due.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "heed/base/error.h"

namespace heed::data {

// Groups of indices into `lengths`, together each index once, lengths descending within and across groups (the longest
// first, so that no worker is left with one at the end; ties by index). A group has at most `max_rows` rows and, if
// `max_tokens` is not 0, at most max_tokens / its longest length of them, but at least one. Throws UsageError for
// max_rows 0.
std::vector<std::vector<uint32_t>> length_groups(std::span<const uint32_t> lengths, size_t max_rows,
                                                 size_t max_tokens = 0);

// Takes values numbered from 0 in any order and hands them out in order. Holds only what waits for an earlier one. Not
// thread-safe: guard it together with the output.
template <class T>
class InOrder {
 public:
  // Keeps the value of `index`, then calls write(value&&) on all that are due. Each index may come once.
  template <class Write>
  void put(uint64_t index, T value, Write&& write) {
    const bool fresh = index >= due_ && waiting_.emplace(index, std::move(value)).second;
    check<Error>(fresh, "result {} came twice", index);
    while (!waiting_.empty() && waiting_.begin()->first == due_) {
      auto next = waiting_.extract(waiting_.begin());
      ++due_;
      write(std::move(next.mapped()));
    }
  }

  uint64_t due() const { return due_; }  // the index that is written next
  size_t waiting() const { return waiting_.size(); }

 private:
  uint64_t due_ = 0;
  std::map<uint64_t, T> waiting_;
};

}  // namespace heed::data
