// NumPy's default random generator, draw for draw, so that resampled intervals equal those of programs that use it.
//
// numpy.random.default_rng(seed) is SeedSequence (O'Neill's seed_seq_fe) into PCG64, that is PCG XSL-RR 128/64
// (O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms", 2014); its integers() below
// 2^32 take 32-bit halves, the low one first, by Lemire's multiplication. Everything else draws from base/random.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heed::metrics {

class NumpyRandom {
 public:
  explicit NumpyRandom(uint64_t seed);

  // The bit generator's next 64 and 32 bits.
  uint64_t next_64();
  uint32_t next_32();

  // Generator.integers(n), 0 < n < 2^32; draws nothing for n = 1.
  uint32_t below(uint32_t n);

 private:
  __extension__ using State = unsigned __int128;

  State state_ = 0, increment_ = 0;
  uint32_t high_half_ = 0;
  bool has_high_half_ = false;
};

}  // namespace heed::metrics
