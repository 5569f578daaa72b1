// Which part of every batch this process works on, where several train together. Set once, before anything reads data.
//
// Batches are planned for all processes together: a batch of --batch-size B of N processes is one of N B examples, and
// rank r takes rows r, r + N, r + 2 N, … of it. So N processes see what one process with N times the batch sees.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace heed::data {

struct Share {
  int rank = 0, world = 1;

  // The size of the batches of all processes together.
  uint32_t of_all(uint32_t batch) const { return batch * static_cast<uint32_t>(world); }
  // This process's rows of a batch; none if there are fewer rows than processes.
  std::vector<uint32_t> rows(std::span<const uint32_t> batch) const {
    std::vector<uint32_t> own;
    for (auto i = static_cast<size_t>(rank); i < batch.size(); i += static_cast<size_t>(world)) own.push_back(batch[i]);
    return own;
  }
};

// Of this process.
const Share& share();
void set_share(Share share);

}  // namespace heed::data
