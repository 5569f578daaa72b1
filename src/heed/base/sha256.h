// SHA-256 (FIPS 180-4), for the fingerprints of model files that `heed info` prints.
//
// A plain implementation, 64 rounds per 64-byte block; hash what is large and trusted with io/xxh64.h instead.
// A Sha256 is used by one thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace heed {

// A hash in the making: update() any number of times, then finish() once.
class Sha256 {
 public:
  void update(std::span<const std::byte> bytes);
  std::array<uint8_t, 32> finish();

 private:
  void block(const std::byte* bytes);

  std::array<uint32_t, 8> state_{0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
                                 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};
  std::array<std::byte, 64> pending_{};
  uint64_t length_ = 0;  // bytes so far; the last length_ % 64 of them are pending
};

// The hash as 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view content);

// The same of a file's content. Throws IoError.
std::string sha256_of_file(const std::filesystem::path& file);

}  // namespace heed
