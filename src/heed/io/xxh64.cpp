#include "heed/io/xxh64.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace heed::io {
namespace {

constexpr uint64_t kP1 = 0x9E3779B185EBCA87, kP2 = 0xC2B2AE3D27D4EB4F, kP3 = 0x165667B19E3779F9,
                   kP4 = 0x85EBCA77C2B2AE63, kP5 = 0x27D4EB2F165667C5;
static_assert(std::endian::native == std::endian::little);

template <class T>
T load(const std::byte* bytes) {
  T word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

uint64_t mix(uint64_t lane, uint64_t word) { return std::rotl(lane + word * kP2, 31) * kP1; }

}  // namespace

void Xxh64::stripe(const std::byte* bytes) {
  for (size_t i = 0; i < 4; ++i) lanes_[i] = mix(lanes_[i], load<uint64_t>(bytes + 8 * i));
}

void Xxh64::update(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const size_t filled = length_ % kStripe;
    if (filled == 0 && bytes.size() >= kStripe) {
      const size_t whole = bytes.size() / kStripe * kStripe;
      for (size_t i = 0; i < whole; i += kStripe) stripe(bytes.data() + i);
      length_ += whole;
      bytes = bytes.subspan(whole);
      continue;
    }
    const size_t taken = std::min(bytes.size(), kStripe - filled);
    std::memcpy(pending_.data() + filled, bytes.data(), taken);
    length_ += taken;
    bytes = bytes.subspan(taken);
    if (length_ % kStripe == 0) stripe(pending_.data());
  }
}

uint64_t Xxh64::digest() const {
  uint64_t hash = kP5;
  if (length_ >= kStripe) {
    hash = std::rotl(lanes_[0], 1) + std::rotl(lanes_[1], 7) + std::rotl(lanes_[2], 12) + std::rotl(lanes_[3], 18);
    for (const uint64_t lane : lanes_) hash = (hash ^ mix(0, lane)) * kP1 + kP4;
  }
  hash += length_;
  std::span<const std::byte> tail(pending_.data(), length_ % kStripe);
  for (; tail.size() >= 8; tail = tail.subspan(8))
    hash = std::rotl(hash ^ mix(0, load<uint64_t>(tail.data())), 27) * kP1 + kP4;
  if (tail.size() >= 4) {
    hash = std::rotl(hash ^ load<uint32_t>(tail.data()) * kP1, 23) * kP2 + kP3;
    tail = tail.subspan(4);
  }
  for (const std::byte byte : tail) hash = std::rotl(hash ^ std::to_integer<uint64_t>(byte) * kP5, 11) * kP1;
  hash = (hash ^ hash >> 33) * kP2;
  hash = (hash ^ hash >> 29) * kP3;
  return hash ^ hash >> 32;
}

uint64_t xxh64(std::span<const std::byte> bytes) {
  Xxh64 hash;
  hash.update(bytes);
  return hash.digest();
}

}  // namespace heed::io
