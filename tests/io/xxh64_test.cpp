// XXH64 against published values, and against the checksums that libzstd puts at the end of its frames.
#include "heed/io/xxh64.h"

#include <zstd.h>

#include <cstring>
#include <string>
#include <vector>

#include "heed/base/random.h"
#include "shared_files.h"

namespace heed::io {
namespace {

uint64_t of(std::string_view text) { return xxh64(std::as_bytes(std::span(text))); }

std::string random_bytes(Random& random, size_t n) {
  std::string bytes;
  for (size_t i = 0; i < n; ++i) bytes.push_back(static_cast<char>(random()));
  return bytes;
}

TEST(Xxh64, PublishedValues) {
  EXPECT_EQ(of(""), 0xEF46DB3751D8E999u);
  EXPECT_EQ(of("a"), 0xD24EC4F1A98C6E5Bu);
  EXPECT_EQ(of("abc"), 0x44BC2CF5AD770999u);
}

// A zstd frame with a checksum ends with the low 32 bits of the XXH64 of its content (RFC 8878, section 3.1.1).
TEST(Xxh64, LowHalfIsTheChecksumOfZstd) {
  Random random(3);
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  for (size_t n = 0; n < 300; ++n) {
    const std::string content = random_bytes(random, n < 200 ? n : n * n);
    std::vector<char> frame(ZSTD_compressBound(content.size()));
    const size_t size = ZSTD_compress2(context, frame.data(), frame.size(), content.data(), content.size());
    ASSERT_FALSE(ZSTD_isError(size));
    uint32_t checksum = 0;
    std::memcpy(&checksum, frame.data() + size - 4, 4);
    EXPECT_EQ(static_cast<uint32_t>(of(content)), checksum) << n << " bytes";
  }
  ZSTD_freeCCtx(context);
}

TEST(Xxh64, PiecesGiveTheSameHash) {
  Random random(5);
  const std::string content = random_bytes(random, 1000);
  for (int round = 0; round < 50; ++round) {
    Xxh64 hash;
    std::string_view rest = content;
    while (!rest.empty()) {
      const size_t n = std::min<size_t>(rest.size(), random.below(80));
      hash.update(std::as_bytes(std::span(rest.substr(0, n))));
      rest.remove_prefix(n);
    }
    EXPECT_EQ(hash.digest(), of(content));
  }
}

// Any flipped bit is seen.
TEST(Xxh64, SeesEachBit) {
  Random random(7);
  std::string content = random_bytes(random, 67);
  const uint64_t whole = of(content);
  for (size_t bit = 0; bit < content.size() * 8; ++bit) {
    content[bit / 8] = static_cast<char>(content[bit / 8] ^ 1 << bit % 8);
    EXPECT_NE(of(content), whole) << bit;
    content[bit / 8] = static_cast<char>(content[bit / 8] ^ 1 << bit % 8);
  }
}

}  // namespace
}  // namespace heed::io
