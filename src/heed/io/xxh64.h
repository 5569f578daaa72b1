// XXH64, the 64-bit hash of Yann Collet's xxHash (published specification, version 0.1.1), seed 0.
//
// It finds torn and damaged files at the speed of memory; it is no protection against an adversary (see base/sha256.h).
// An Xxh64 is used by one thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace heed::io {

// A hash in the making: update() any number of times; digest() at any point.
class Xxh64 {
 public:
  void update(std::span<const std::byte> bytes);
  uint64_t digest() const;

 private:
  static constexpr size_t kStripe = 32;

  void stripe(const std::byte* bytes);

  std::array<uint64_t, 4> lanes_{0x60EA27EEADC0B5D6, 0xC2B2AE3D27D4EB4F, 0, 0x61C8864E7A143579};
  std::array<std::byte, kStripe> pending_{};
  uint64_t length_ = 0;  // bytes so far; the last length_ % 32 of them are pending
};

uint64_t xxh64(std::span<const std::byte> bytes);

}  // namespace heed::io
