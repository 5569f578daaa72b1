// What mma-device.h names, on the CPU: matrices spread over a warp's lanes as the PTX ISA has them, and copies that are
// made no earlier than they are waited for. Addresses that the device would refuse end the process.
#include "heed/cuda/mma-device.h"

#include <algorithm>
#include <array>
#include <vector>

#include "cuda_runtime.h"
#include "emulation.h"

namespace heed::cuda {
namespace {

constexpr unsigned kLanes = 32, kMostThreads = 1024;
constexpr size_t kPiece = 16;  // bytes

void check_address(const void* data) {
  if (reinterpret_cast<uintptr_t>(data) % kPiece != 0) emulation::fail("an address that is no multiple of 16");
}

// Of the 16 bits of a number.
using Widen = float (*)(uint16_t);

// The number that a word has first or second.
double number(Widen widen, uint64_t word, unsigned second) { return widen(static_cast<uint16_t>(word >> 16 * second)); }

uint64_t together(uint32_t low, uint32_t high) { return uint64_t{high} << 32 | low; }

Words load(const uint16_t* row, bool transposed) {
  check_address(row);
  const uint64_t* addresses = emulation::exchange(reinterpret_cast<uint64_t>(row));
  const unsigned group = threadIdx.x % kLanes / 4, place = threadIdx.x % 4;
  Words words{};
  for (unsigned i = 0; i < 4; ++i)
    for (unsigned second = 0; second < 2; ++second) {
      const unsigned r = transposed ? 2 * place + second : group, c = transposed ? group : 2 * place + second;
      uint16_t bits;
      std::memcpy(&bits, reinterpret_cast<const uint16_t*>(addresses[8 * i + r]) + c, sizeof bits);
      words.x[i] |= uint32_t{bits} << 16 * second;
    }
  return words;
}

struct Copy {
  void* to;
  const void* from;  // nullptr: zeros
};
std::array<std::vector<Copy>, kMostThreads> under_way;  // of each thread

// Element [r][k] of a: lane 4 (r mod 8) + k mod 8 / 2, word r / 8 + 2 (k / 8). Element [k][c] of b: lane 4 c + k mod 8
// / 2, word k / 8. Both: the second number where k is odd.
void multiply(Widen widen, float (&sums)[4], const Words& a, uint32_t b0, uint32_t b1) {
  const unsigned group = threadIdx.x % kLanes / 4, place = threadIdx.x % 4;
  uint64_t rows[2][4], columns[2][4];  // [k / 8][lane of a row]; [column of this lane][lane of a column]
  for (unsigned i = 0; i < 2; ++i)
    std::copy_n(emulation::exchange(together(a.x[2 * i], a.x[2 * i + 1])) + 4 * group, 4, rows[i]);
  const uint64_t* all = emulation::exchange(together(b0, b1));
  for (unsigned i = 0; i < 2; ++i) std::copy_n(all + 4 * (2 * place + i), 4, columns[i]);
  for (unsigned i = 0; i < 4; ++i) {
    double sum = sums[i];
    for (unsigned k = 0; k < 16; ++k)
      sum += number(widen, rows[k / 8][k % 8 / 2] >> 32 * (i / 2), k % 2) *
             number(widen, columns[i % 2][k % 8 / 2] >> 32 * (k / 8), k % 2);
    sums[i] = static_cast<float>(sum);
  }
}

}  // namespace

void mma(float (&sums)[4], const Words& a, uint32_t b0, uint32_t b1) { multiply(float_of_bf16, sums, a, b0, b1); }
void mma_f16(float (&sums)[4], const Words& a, uint32_t b0, uint32_t b1) { multiply(float_of_f16, sums, a, b0, b1); }

Words load_matrices(const uint16_t* row) { return load(row, false); }
Words load_matrices_transposed(const uint16_t* row) { return load(row, true); }

void copy_async(void* to, const void* from, bool zeros) {
  check_address(to);
  check_address(from);
  under_way[threadIdx.x].push_back({to, zeros ? nullptr : from});
}

void wait_for_copies() {
  for (const Copy& copy : under_way[threadIdx.x])
    if (copy.from) std::memcpy(copy.to, copy.from, kPiece);
    else std::memset(copy.to, 0, kPiece);
  under_way[threadIdx.x].clear();
}

}  // namespace heed::cuda
