// Text for tests of trainings: lines of number words, whose letters follow from each other, so that a small model
// learns them within seconds.
#pragma once

#include <filesystem>
#include <fstream>

#include "heed/base/random.h"

namespace heed::testing {

inline void write_word_lines(const std::filesystem::path& file, uint64_t seed, int lines) {
  static constexpr const char* kWords[] = {"one", "two", "three", "four", "five", "six", "seven", "eight"};
  Random random(seed);
  std::ofstream out(file);
  for (int line = 0; line < lines; ++line) {
    // Each word follows from the one before it, but for the first: up or down by one.
    uint32_t word = random.below(8), way = random.below(2) == 0 ? 1 : 7;
    for (int i = 0; i < 9; ++i, word = (word + way) % 8) out << (i > 0 ? " " : "") << kWords[word];
    out << '\n';
  }
}

}  // namespace heed::testing
