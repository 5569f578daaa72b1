#include "heed/metrics/numpy_random.h"

#include <gtest/gtest.h>

#include <vector>

namespace heed::metrics {
namespace {

// Expected: NumPy 2.4.6, g = numpy.random.default_rng(seed); g.bit_generator.random_raw(3);
// then for a fresh g each g.choice(3004, size=8) and g.choice(3000000000, size=6).
struct Case {
  uint64_t seed;
  std::vector<uint64_t> raw;
  std::vector<uint32_t> below_3004, below_3e9;
};

const Case kCases[] = {
    {0,
     {0xa30febcfd9c2825f, 0x4510bdf882d9d721, 0x0a7d3da94ecde8b8},
     {2555, 1913, 1535, 810, 924, 123, 226, 49},
     {2551872677, 1910885061, 1533409439, 809360140, 923488268, 122920571}},
    {12345,
     {0x3a32b18db2ffc19d, 0x51171315c9e4c4de, 0xcc2024823444efd9},
     {2100, 682, 2369, 951, 613, 2395, 1930, 2031},
     {2097645094, 682008066, 2365940964, 950275018, 2392096371, 2028764011}},
    {1099511627783,
     {0xd46e9e2034de21aa, 0x415badc99c087675, 0x275ed40f045acb84},
     {620, 2492, 1830, 766, 51, 461, 1516, 2026},
     {2489438675, 1828512392, 765915474, 51031264, 461372147, 1514132298}},
    {18446744073709551615u,
     {0xae163a7a8c47568f, 0xd86659f5f3382359, 0x1e52b195bc2d24a},
     {1646, 2042, 2854, 2539, 1076, 22, 300, 2687},
     {1643890599, 2040080036, 1075324467, 22209244, 300392691, 1814207394}},
};

TEST(NumpyRandom, DrawsWhatNumpyDraws) {
  for (const Case& c : kCases) {
    NumpyRandom raw(c.seed), small(c.seed), large(c.seed);
    for (const uint64_t expected : c.raw) EXPECT_EQ(raw.next_64(), expected) << c.seed;
    for (const uint32_t expected : c.below_3004) EXPECT_EQ(small.below(3004), expected) << c.seed;
    // Three of ten draws below 3e9 are rejected: this follows the rejection too.
    for (const uint32_t expected : c.below_3e9) EXPECT_EQ(large.below(3000000000u), expected) << c.seed;
  }
}

TEST(NumpyRandom, TakesTheLowHalfFirst) {
  NumpyRandom random(12345);
  EXPECT_EQ(random.next_32(), 0xb2ffc19du);
  EXPECT_EQ(random.next_32(), 0x3a32b18du);
  EXPECT_EQ(random.next_32(), 0xc9e4c4deu);
}

TEST(NumpyRandom, DrawsNothingForOneChoice) {
  NumpyRandom random(12345);
  EXPECT_EQ(random.below(1), 0u);
  EXPECT_EQ(random.next_64(), 0x3a32b18db2ffc19du);
}

}  // namespace
}  // namespace heed::metrics
