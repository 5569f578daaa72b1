// The emulation of tensor cores (emulation/mma.cpp) against plain products and the PTX ISA's own formulas: what the
// tests of attention on tensor cores stand on.
#include "heed/cuda/mma-device.h"

#include <gtest/gtest.h>

#include <vector>

#include "cuda_runtime.h"
#include "heed/base/random.h"

namespace heed::cuda {
namespace {

constexpr int kM = 16, kN = 8, kK = 16;

struct alignas(16) Rows16 {
  uint16_t x[16][16];  // [row][column]
};

Rows16 random_rows(uint64_t seed) {
  Random random(seed);
  Rows16 rows{};
  for (auto& row : rows.x)
    for (uint16_t& x : row) x = bf16_bits(static_cast<float>(random.normal()));
  return rows;
}

template <class F>
void run_warp(const F& f) {
  emulation::run(dim3(1), dim3(32), 0, [&] { f(static_cast<int>(threadIdx.x)); });
}

// c = 1 + a b
std::vector<float> product(const Rows16& a, const Rows16& b, bool b_transposed) {
  std::vector<float> c(kM * kN);
  for (int r = 0; r < kM; ++r)
    for (int n = 0; n < kN; ++n) {
      double sum = 1;
      for (int k = 0; k < kK; ++k)
        sum += double{float_of_bf16(a.x[r][k])} * float_of_bf16(b_transposed ? b.x[n][k] : b.x[k][n]);
      c[static_cast<size_t>(r * kN + n)] = static_cast<float>(sum);
    }
  return c;
}

// "Matrix Fragments for mma.m16n8k16 with floating point type": numbers a0 to a7, b0 to b3 and c0 to c3 of a lane.
TEST(EmulatedTensorCores, MultiplyMatricesThatAreSpreadAsTheIsaSays) {
  const Rows16 a = random_rows(1), b = random_rows(2);
  std::vector<float> c(kM * kN);
  run_warp([&](int lane) {
    const int group_id = lane >> 2, thread_in_group = lane % 4;
    uint16_t ai[8], bi[4];
    for (int i = 0; i < 8; ++i) {
      const int row = i < 2 || (i >= 4 && i < 6) ? group_id : group_id + 8;
      const int column = thread_in_group * 2 + (i & 1) + (i < 4 ? 0 : 8);
      ai[i] = a.x[row][column];
    }
    for (int i = 0; i < 4; ++i) bi[i] = b.x[thread_in_group * 2 + (i & 1) + (i < 2 ? 0 : 8)][group_id];
    const auto word = [](const uint16_t* x) { return uint32_t{x[1]} << 16 | x[0]; };
    float ci[4] = {1, 1, 1, 1};
    mma(ci, {{word(ai), word(ai + 2), word(ai + 4), word(ai + 6)}}, word(bi), word(bi + 2));
    for (int i = 0; i < 4; ++i)
      c[static_cast<size_t>((i < 2 ? group_id : group_id + 8) * kN + thread_in_group * 2 + (i & 1))] = ci[i];
  });
  EXPECT_EQ(c, product(a, b, false));
}

// Loaded from rows as kernels load them: a as it lies, b by its columns and by its rows.
TEST(EmulatedTensorCores, LoadMatricesFromRows) {
  const Rows16 a = random_rows(3), b = random_rows(4);
  for (const bool by_columns : {false, true}) {
    std::vector<float> c(kM * kN);
    run_warp([&](int lane) {
      const Words left = load_matrices(&a.x[lane % 16][lane / 16 * 8]);
      const Words right = by_columns ? load_matrices(&b.x[lane % 8 + lane / 16 * 8][lane / 8 % 2 * 8])
                                     : load_matrices_transposed(&b.x[lane % 16][lane / 16 * 8]);
      float sums[4] = {1, 1, 1, 1};
      mma(sums, left, right.x[0], right.x[1]);
      for (int i = 0; i < 4; ++i) c[static_cast<size_t>((lane / 4 + i / 2 * 8) * kN + lane % 4 * 2 + i % 2)] = sums[i];
    });
    EXPECT_EQ(c, product(a, b, by_columns)) << by_columns;
  }
}

TEST(EmulatedTensorCores, CopiesAreThereWhenTheyHaveBeenWaitedFor) {
  const Rows16 from = random_rows(5);
  Rows16 to = random_rows(6);
  const Rows16 before = to;
  run_warp([&](int lane) {
    copy_async(&to.x[lane / 2][lane % 2 * 8], &from.x[lane / 2][lane % 2 * 8], lane % 2 == 1);
    EXPECT_EQ(to.x[lane / 2][lane % 2 * 8], before.x[lane / 2][lane % 2 * 8]);
    wait_for_copies();
  });
  for (int r = 0; r < 16; ++r)
    for (int c = 0; c < 16; ++c) EXPECT_EQ(to.x[r][c], c < 8 ? from.x[r][c] : 0);
}

TEST(EmulatedTensorCores, RoundTwoNumbersTheFirstBelow) {
  EXPECT_EQ(round_two(1.0f, -2.0f), 0xC0003F80u);
  EXPECT_EQ(round_two(1.00390625f, 1.01171875f), 0x3F823F80u);  // halves, to even
}

}  // namespace
}  // namespace heed::cuda
