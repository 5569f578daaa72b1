// Products of tiles of bf16, or f16, in shared memory by a block of four warps.
//
// A block has a tile of 64 kRowTiles rows, a warp 16 kRowTiles of them. A warp's sums [16 kRowTiles, kCols] are spread
// over its lanes as mma's are (mma-device.h): number [m][n][i] has row 16 m + 8 (i / 2) + group and column
// 8 n + 2 place + i mod 2.
#pragma once

#include "heed/cuda/launch.h"
#include "heed/cuda/mma-device.h"

namespace heed::cuda {

inline constexpr int kMmaWarps = 4, kMmaThreads = kMmaWarps * kWarp, kRowTile = 16;
template <int kRowTiles>
inline constexpr int kTileRows = (kMmaWarps * kRowTile) * kRowTiles;

// Numbers from one row of a tile to the next: an odd multiple of 16 bytes, so that eight rows lie in different banks.
template <int kDim>
inline constexpr int kTileStride = kDim + 8;

__device__ __forceinline__ int lane_of_warp() { return static_cast<int>(threadIdx.x) % kWarp; }
__device__ __forceinline__ int group_of_lane() { return lane_of_warp() / 4; }
__device__ __forceinline__ int place_of_lane() { return lane_of_warp() % 4; }
// The first of the warp's rows of its block's tile.
template <int kRowTiles>
__device__ __forceinline__ int first_row_of_warp() {
  return static_cast<int>(threadIdx.x) / kWarp * kRowTile * kRowTiles;
}

// sums += own others^T, [16 kRowTiles, kDim] by [kCols, kDim].
template <int kDim, int kRowTiles, int kCols, class T = Bf16>
__device__ __forceinline__ void multiply_rows(const uint16_t* own, const uint16_t* others,
                                              float (&sums)[kRowTiles][kCols / 8][4]) {
  constexpr int kStride = kTileStride<kDim>;
  const int lane = lane_of_warp();
  const uint16_t* a_row = own + lane % 16 * kStride + lane / 16 * 8;
  const uint16_t* b_row = others + (lane % 8 + lane / 16 * 8) * kStride + lane / 8 % 2 * 8;
#pragma unroll
  for (int c = 0; c < kDim; c += 16) {
    Words a[kRowTiles];
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) a[m] = load_matrices(a_row + m * kRowTile * kStride + c);
#pragma unroll
    for (int n = 0; n < kCols / 8; n += 2) {
      const Words b = load_matrices(b_row + n * 8 * kStride + c);
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m) {
        Factors<T>::multiply(sums[m][n], a[m], b.x[0], b.x[1]);
        Factors<T>::multiply(sums[m][n + 1], a[m], b.x[2], b.x[3]);
      }
    }
  }
}

// Calls f(m, n, i, row, column) for each number of a warp's sums that this lane has.
template <int kRowTiles, int kCols, class F>
__device__ __forceinline__ void for_each_sum(const F& f) {
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int n = 0; n < kCols / 8; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        f(m, n, i, m * kRowTile + i / 2 * 8 + group_of_lane(), n * 8 + 2 * place_of_lane() + i % 2);
}

// Calls f with kRowTiles as a compile-time constant.
template <class F>
void with_row_tiles(int tiles, const F& f) {
  if (tiles == 1) f(std::integral_constant<int, 1>());
  else f(std::integral_constant<int, 2>());
}

}  // namespace heed::cuda
