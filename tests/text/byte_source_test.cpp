#include "heed/text/byte_source.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "heed/base/random.h"
#include "made_files.h"
#include "message_of.h"

namespace heed::text {
namespace {

using heed::testing::gzip;
using heed::testing::message_of;
using heed::testing::put;
using heed::testing::zstd;
using ::testing::HasSubstr;

// All bytes, read in pieces of `piece`.
std::string all_bytes(ByteSource& source, size_t piece) {
  std::string out;
  std::vector<char> buffer(piece);
  while (const size_t count = source.read(buffer)) out.append(buffer.data(), count);
  return out;
}

std::string all_bytes(const std::string& path, size_t piece = 65536) { return all_bytes(*open_bytes(path), piece); }

// Text that packs neither to almost nothing nor not at all.
std::string sample_text(size_t size) {
  std::string out;
  Random random(1);
  while (out.size() < size) {
    out += "word" + std::to_string(random.below(1000)) + (random.below(8) == 0 ? "\n" : " ");
  }
  return out;
}

TEST(ByteSource, ContentDecidesNotTheName) {
  testing::TemporaryFolder folder;
  const std::string text = sample_text(100000);
  const std::string plain = put(folder, "a.gz", text), gz = put(folder, "b.zst", gzip(text)),
                    zst = put(folder, "c.txt", zstd(text));
  EXPECT_EQ(open_bytes(plain)->compression(), Compression::kNone);
  EXPECT_EQ(open_bytes(gz)->compression(), Compression::kGzip);
  EXPECT_EQ(open_bytes(zst)->compression(), Compression::kZstd);
  for (const std::string& path : {plain, gz, zst}) {
    EXPECT_EQ(all_bytes(path), text);
    EXPECT_EQ(all_bytes(path, 1 << 20), text);
  }
}

TEST(ByteSource, AnySizeOfReadGivesTheSameBytes) {
  testing::TemporaryFolder folder;
  const std::string text = sample_text(5000);
  for (const std::string& path : {put(folder, "a", text), put(folder, "b", gzip(text)), put(folder, "c", zstd(text))})
    for (const size_t piece : {1, 2, 7, 4096}) EXPECT_EQ(all_bytes(path, piece), text) << path << " by " << piece;
}

TEST(ByteSource, TextShorterThanAMagicIsPlain) {
  testing::TemporaryFolder folder;
  for (const std::string text : {"", "a", "P", "P*", "P*M", "\x1f", "(", "\n"})
    EXPECT_EQ(all_bytes(put(folder, "x", text)), text);
}

TEST(ByteSource, MembersAndFramesFollowEachOther) {
  testing::TemporaryFolder folder;
  const std::string big = sample_text(600000);
  EXPECT_EQ(all_bytes(put(folder, "g", gzip("one\n") + gzip("") + gzip(big) + gzip("two\n"))), "one\n" + big + "two\n");
  EXPECT_EQ(all_bytes(put(folder, "z", zstd("one\n") + zstd("") + zstd(big) + zstd("two\n"))), "one\n" + big + "two\n");
  EXPECT_EQ(all_bytes(put(folder, "p", gzip("one\n") + std::string(700, '\0'))), "one\n");  // padded, as on tapes
}

TEST(ByteSource, SkippableZstdFramesAreSkipped) {
  testing::TemporaryFolder folder;
  const std::string skippable("\x5a\x2a\x4d\x18\x03\0\0\0abc", 11);
  EXPECT_EQ(all_bytes(put(folder, "z", skippable + zstd("text\n") + skippable)), "text\n");
}

TEST(ByteSource, EveryTruncationIsAnError) {
  testing::TemporaryFolder folder;
  const std::string text = sample_text(3000);
  for (const auto& [name, packed, shortest] :
       {std::tuple{"gzip", gzip(text), size_t{2}}, std::tuple{"zstd", zstd(text), size_t{4}}}) {
    const std::string path = put(folder, name, packed);
    for (size_t size = packed.size() - 1; size >= shortest; --size) {
      std::filesystem::resize_file(path, size);
      const std::string message = message_of<DataError>([&] { all_bytes(path); });
      EXPECT_THAT(message, HasSubstr(fmt::format("{}: truncated {}: the file ends at byte {},", path, name, size)));
    }
  }
}

TEST(ByteSource, TruncationInALaterMemberIsAnError) {
  testing::TemporaryFolder folder;
  const std::string text = sample_text(3000), gz = gzip(text), zst = zstd(text);
  EXPECT_THAT(message_of<DataError>([&] { all_bytes(put(folder, "g", gz + gz.substr(0, 300))); }),
              HasSubstr(fmt::format("byte {}", gz.size() + 300)));
  EXPECT_THAT(message_of<DataError>([&] { all_bytes(put(folder, "z", zst + zst.substr(0, 300))); }),
              HasSubstr(fmt::format("byte {}", zst.size() + 300)));
  EXPECT_THAT(message_of<DataError>([&] { all_bytes(put(folder, "z", zst + zst.substr(0, 2))); }),
              HasSubstr("truncated zstd"));
}

TEST(ByteSource, DamageIsAnError) {
  testing::TemporaryFolder folder;
  const std::string text = sample_text(3000);
  std::string checksum = gzip(text);
  checksum[checksum.size() - 8] ^= 1;
  EXPECT_THAT(message_of<DataError>([&] { all_bytes(put(folder, "g", checksum)); }), HasSubstr("damaged gzip at byte"));
  EXPECT_THAT(message_of<DataError>([&] { all_bytes(put(folder, "g", gzip(text) + "more")); }),
              HasSubstr(fmt::format("no gzip member follow at byte {}", gzip(text).size())));
  EXPECT_THAT(message_of<DataError>([&] { all_bytes(put(folder, "z", zstd(text) + "more")); }),
              HasSubstr("damaged zstd"));
  std::string header = zstd(text);
  header[4] = '\xff';  // a reserved bit of the frame header
  EXPECT_THAT(message_of<DataError>([&] { all_bytes(put(folder, "z", header)); }), HasSubstr("damaged zstd"));
}

TEST(ByteSource, EachKindOfBadPathHasItsMessage) {
  testing::TemporaryFolder folder;
  EXPECT_THAT(message_of<DataError>([&] { open_bytes((folder / "absent").string()); }),
              HasSubstr("absent: no such file"));
  EXPECT_THAT(message_of<DataError>([&] { open_bytes(folder.path().string()); }), HasSubstr("is a folder"));
}

TEST(ByteSource, OrdinaryFilesAreToldFromOthers) {
  testing::TemporaryFolder folder;
  const auto reason = [](const std::string& path) { return message_of<DataError>([&] { check_ordinary_file(path); }); };
  ASSERT_EQ(mkfifo((folder / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(reason(put(folder, "x", "text")), "no error");
  EXPECT_THAT(reason(put(folder, "0", "")), HasSubstr("empty (0 bytes)"));
  EXPECT_THAT(reason((folder / "absent").string()), HasSubstr("no such file"));
  EXPECT_THAT(reason(folder.path().string()), HasSubstr("is a folder"));
  EXPECT_THAT(reason((folder / "fifo").string()), HasSubstr("is a pipe"));
  EXPECT_THAT(reason("-"), HasSubstr("standard input: is a pipe"));
  EXPECT_THAT(reason("/dev/null"), HasSubstr("is a device"));
}

TEST(ByteSource, MissingRightsAreNamed) {
  testing::TemporaryFolder folder;
  const std::string path = put(folder, "secret", "text");
  std::filesystem::permissions(folder.path(), std::filesystem::perms::all);
  std::filesystem::permissions(path, std::filesystem::perms::none);
  const uid_t user = geteuid();
  const bool bound = user != 0 || seteuid(65534) == 0;  // rights do not bind root
  const std::string opened = message_of<DataError>([&] { open_bytes(path); });
  const std::string looked_at = message_of<DataError>([&] { check_ordinary_file(path); });
  ASSERT_EQ(seteuid(user), 0);
  ASSERT_TRUE(bound);
  EXPECT_THAT(opened, HasSubstr("secret: no permission to read it"));
  EXPECT_THAT(looked_at, HasSubstr("secret: no permission to read it"));
}

TEST(ByteSource, APipeIsReadAsItComes) {
  testing::TemporaryFolder folder;
  const std::string path = (folder / "fifo").string();
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const std::string packed = gzip("one\ntwo\n");
  std::jthread writer([&] {
    FILE* out = fopen(path.c_str(), "w");
    for (const char c : packed) fputc(c, out), fflush(out);  // byte by byte, the magic too
    fclose(out);
  });
  EXPECT_EQ(all_bytes(path), "one\ntwo\n");
}

}  // namespace
}  // namespace heed::text
