// Tensor cores and what feeds them: names for instructions of sm_80 and newer, all of which a whole warp gives together
// (but for copies and roundings, which are each thread's own).
//
// mma's matrices are spread over the lanes (PTX ISA, "Matrix Fragments for mma.m16n8k16"). With group = lane / 4 and
// place = lane % 4 a lane has of
//   a [16, 16], word i: row group + 8 (i mod 2), columns 2 place + 8 (i / 2) and the next
//   b [16, 8], word i: column group, rows 2 place + 8 i and the next
//   sums [16, 8], number i: row group + 8 (i / 2), column 2 place + i mod 2
// The first of a word's two numbers lies in its lower half. On the host (tests/cuda) the emulation has these functions.
#pragma once

#include <cuda_runtime.h>

#include "heed/cuda/math-device.h"

namespace heed::cuda {

struct alignas(16) Words {
  uint32_t x[4];
};

#ifdef __CUDACC__

__device__ __forceinline__ uint32_t shared_address(const void* data) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(data));
}

// sums += a b, factors in bf16, sums in f32.
__device__ __forceinline__ void mma(float (&sums)[4], const Words& a, uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(a.x[0]), "r"(a.x[1]), "r"(a.x[2]), "r"(a.x[3]), "r"(b0), "r"(b1));
}

// The same of factors in f16.
__device__ __forceinline__ void mma_f16(float (&sums)[4], const Words& a, uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(a.x[0]), "r"(a.x[1]), "r"(a.x[2]), "r"(a.x[3]), "r"(b0), "r"(b1));
}

// Four matrices [8, 8] of 16-bit numbers in shared memory: lane l names row l mod 8 of matrix l / 8, 16 bytes on a
// multiple of 16. A lane's word i is of matrix i: row group, columns 2 place and the next.
__device__ __forceinline__ Words load_matrices(const uint16_t* row) {
  Words w;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(w.x[0]), "=r"(w.x[1]), "=r"(w.x[2]), "=r"(w.x[3])
               : "r"(shared_address(row))
               : "memory");
  return w;
}
// The same of the matrices' transposes: column group, rows 2 place and the next.
__device__ __forceinline__ Words load_matrices_transposed(const uint16_t* row) {
  Words w;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(w.x[0]), "=r"(w.x[1]), "=r"(w.x[2]), "=r"(w.x[3])
               : "r"(shared_address(row))
               : "memory");
  return w;
}

// Begins to copy 16 bytes, both places multiples of 16, from global to shared memory, or to write zeros there. Done
// once this thread has waited; for other threads behind a barrier after that.
__device__ __forceinline__ void copy_async(void* to, const void* from, bool zeros) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)),
               "l"(__cvta_generic_to_global(from)), "r"(zeros ? 0 : 16)
               : "memory");
}
__device__ __forceinline__ void wait_for_copies() { asm volatile("cp.async.wait_all;" ::: "memory"); }

// Two numbers rounded to bf16, to nearest even.
__device__ __forceinline__ uint32_t round_two(float first, float second) {
  uint32_t word;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(second), "f"(first));
  return word;
}

// The same to f16; the caller keeps what is too large for it away.
__device__ __forceinline__ uint32_t round_two_to_f16(float first, float second) {
  uint32_t word;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(second), "f"(first));
  return word;
}

// 2^x with a relative error of at most 2^-22; 0 for -infinity.
__device__ __forceinline__ float power_of_two(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

#else

void mma(float (&sums)[4], const Words& a, uint32_t b0, uint32_t b1);
void mma_f16(float (&sums)[4], const Words& a, uint32_t b0, uint32_t b1);
Words load_matrices(const uint16_t* row);
Words load_matrices_transposed(const uint16_t* row);
void copy_async(void* to, const void* from, bool zeros);
void wait_for_copies();
inline uint32_t round_two(float first, float second) { return uint32_t{bf16_bits(second)} << 16 | bf16_bits(first); }
inline uint32_t round_two_to_f16(float first, float second) {
  return uint32_t{f16_bits(second)} << 16 | f16_bits(first);
}
inline float power_of_two(float x) { return std::exp2(x); }

#endif

// What products of matrices of one 16-bit type are made of.
template <class T>
struct Factors;
template <>
struct Factors<Bf16> {
  __device__ static uint32_t round_two(float first, float second) { return cuda::round_two(first, second); }
  __device__ static void multiply(float (&sums)[4], const Words& a, uint32_t b0, uint32_t b1) { mma(sums, a, b0, b1); }
};
template <>
struct Factors<F16> {
  // Numbers beyond the largest become that; infinity and NaN stay.
  __device__ static uint32_t round_two(float first, float second) {
    return round_two_to_f16(within_range(first), within_range(second));
  }
  __device__ static void multiply(float (&sums)[4], const Words& a, uint32_t b0, uint32_t b1) {
    mma_f16(sums, a, b0, b1);
  }

 private:
  __device__ static float within_range(float x) {
    constexpr float kLargest = 65504;
    if (x == INFINITY || x == -INFINITY) return x;
    return x > kLargest ? kLargest : x < -kLargest ? -kLargest : x;
  }
};

}  // namespace heed::cuda
