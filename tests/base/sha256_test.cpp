// SHA-256 against the examples of NIST (FIPS 180-4 and the Cryptographic Algorithm Validation Program).
#include "heed/base/sha256.h"

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/random.h"
#include "shared_files.h"

namespace heed {
namespace {

TEST(Sha256, PublishedExamples) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(
      sha256_hex("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrs"
                 "mnopqrstnopqrstu"),
      "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
  EXPECT_EQ(sha256_hex(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  EXPECT_EQ(sha256_hex("\xbd"), "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b");
  EXPECT_EQ(sha256_hex("\xc9\x8c\x8e\x55"), "7abc22c0ae5af26ce93dbb94433a0e0b2e119d014f8e7f65bd56c61ccccd9504");
}

// NIST's examples of zero bytes around the block length, where the padding needs a second block.
TEST(Sha256, PaddingAroundABlock) {
  EXPECT_EQ(sha256_hex(std::string(55, '\0')), "02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7");
  EXPECT_EQ(sha256_hex(std::string(56, '\0')), "d4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb");
  EXPECT_EQ(sha256_hex(std::string(57, '\0')), "65a16cb7861335d5ace3c60718b5052e44660726da4cd13bb745381b235a1785");
  EXPECT_EQ(sha256_hex(std::string(64, '\0')), "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b");
  EXPECT_EQ(sha256_hex(std::string(1000, '\0')), "541b3e9daa09b20bf85fa273e5cbd3e80185aa4ec298e765db87742b70138a53");
  EXPECT_EQ(sha256_hex(std::string(1000, 'A')), "c2e686823489ced2017f6059b8b239318b6364f6dcd835d0a519105a1eadd6e4");
}

TEST(Sha256, PiecesGiveTheSameHash) {
  Random random(11);
  std::string content;
  for (int i = 0; i < 1000; ++i) content.push_back(static_cast<char>(random()));
  for (int round = 0; round < 50; ++round) {
    Sha256 hash;
    std::string_view rest = content;
    while (!rest.empty()) {
      const size_t n = std::min<size_t>(rest.size(), random.below(150));
      hash.update(std::as_bytes(std::span(rest.substr(0, n))));
      rest.remove_prefix(n);
    }
    std::string hex;
    for (const uint8_t byte : hash.finish()) hex += fmt::format("{:02x}", byte);
    EXPECT_EQ(hex, sha256_hex(content));
  }
}

TEST(Sha256, OfAFile) {
  testing::TemporaryFolder folder;
  write_file_atomically(folder / "f", "abc");
  EXPECT_EQ(sha256_of_file(folder / "f"), sha256_hex("abc"));
  EXPECT_THROW(sha256_of_file(folder / "absent"), IoError);
}

}  // namespace
}  // namespace heed
