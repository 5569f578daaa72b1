#include "heed/data/indexed_lines.h"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <thread>

#include "made_files.h"
#include "message_of.h"

namespace heed::data {
namespace {

using heed::testing::anonymous_memory;
using heed::testing::gzip;
using heed::testing::message_of;
using heed::testing::put;
using heed::testing::zstd;
using ::testing::HasSubstr;
using std::string_literals::operator""s;

TEST(OffsetIndex, KeepsOffsetsBeyondFourGigabytes) {
  const std::vector<uint64_t> offsets = {0,           5,           0xFFFFFFFF,  0x100000000, 0x100000000,
                                         0x1FFFFFFFF, 0x500000003, 0x500000003, 0x5FFFFFFFF, 0x700000000};
  OffsetIndex index;
  for (const uint64_t offset : offsets) index.append(offset);
  ASSERT_EQ(index.size(), offsets.size());
  for (size_t i = 0; i < offsets.size(); ++i) EXPECT_EQ(index[i], offsets[i]) << i;
}

// The same lines and the same report as the streaming reader gives.
void expect_like_reader(const std::string& path) {
  const IndexedLines lines(path, {}, ::testing::TempDir());
  text::LineReader reader(path);
  std::string line;
  uint64_t i = 0;
  for (; reader.next(line); ++i) {
    ASSERT_LT(i, lines.size());
    EXPECT_EQ(lines.line(i), line) << path << ":" << i + 1;
  }
  EXPECT_EQ(lines.size(), i);
  EXPECT_EQ(lines.report(), reader.report());
}

TEST(IndexedLines, FollowTheRulesOfTheReader) {
  testing::TemporaryFolder folder;
  const std::string nasty = "\ufeffa\r\n\n\r\n\0x\xff\r\r\n"s + std::string(300000, 'y') + "\n\ufeff\u2028z\u0085\n";
  for (const std::string& text : {nasty, nasty + "no newline", nasty + "\r", "\n"s, "a"s, "\ufeff\n"s}) {
    expect_like_reader(put(folder, "p", text));
    expect_like_reader(put(folder, "g", gzip(text)));
    expect_like_reader(put(folder, "z", zstd(text)));
  }
}

TEST(IndexedLines, NothingIsLeftInTheScratchFolder) {
  testing::TemporaryFolder folder, scratch;
  const std::string path = put(folder, "g", gzip("one\ntwo\n"));
  const IndexedLines lines(path, {}, scratch.path());
  EXPECT_EQ(lines.compression(), text::Compression::kGzip);
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
  EXPECT_EQ(lines.line(1), "two");
}

TEST(IndexedLines, ErrorsComeBeforeUse) {
  testing::TemporaryFolder folder;
  const auto reason = [&](std::string_view content, text::LineOptions options = {}) {
    const std::string path = put(folder, "x", content);
    return message_of<DataError>([&] { IndexedLines(path, options, folder.path()); });
  };
  EXPECT_THAT(reason(""), HasSubstr("empty (0 bytes)"));
  EXPECT_THAT(reason(gzip("")), HasSubstr("holds no line"));
  EXPECT_THAT(reason("\ufeff"), HasSubstr("holds no line"));
  EXPECT_THAT(reason("a\n\xff\n", {.strict = true}), HasSubstr("x:2: byte 1 (0xff)"));
  EXPECT_THAT(reason(gzip("a\nb\n").substr(0, 15)), HasSubstr("truncated gzip"));
  EXPECT_THAT(reason("long\n", {.max_line_bytes = 3}), HasSubstr("x:1: the line is longer"));
  const std::string packed = put(folder, "g", gzip("one\n"));
  EXPECT_THAT(message_of<IoError>([&] { IndexedLines(packed, {}, folder / "absent"); }), HasSubstr("absent"));
}

TEST(IndexedLines, AFullDiskIsAnErrorThatSaysWhatToDo) {
  // A limit on the size of files stands in for a full disk: the same call fails.
  testing::TemporaryFolder folder;
  const std::string packed = put(folder, "g", gzip(std::string(100000, 'x') + "\n"));
  rlimit old{}, small{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  small = old;
  small.rlim_cur = 4096;
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string message = message_of<IoError>([&] { IndexedLines(packed, {}, folder.path()); });
  setrlimit(RLIMIT_FSIZE, &old);
  signal(SIGXFSZ, handler);
  EXPECT_THAT(message, HasSubstr("cannot write unpacked text there"));
  EXPECT_THAT(message, HasSubstr("TMPDIR"));
}

TEST(IndexedLines, TheTextStaysOutOfMemory) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "skipped: ThreadSanitizer keeps four bytes of its own for each byte that is read";
#endif
  testing::TemporaryFolder folder;
  std::string text;
  while (text.size() < (size_t{64} << 20)) text += "a line of about fifty characters, as captions are.\n";
  const auto count = static_cast<uint64_t>(std::count(text.begin(), text.end(), '\n'));
  const std::string plain = put(folder, "plain", text), packed = put(folder, "packed", zstd(text));
  text = std::string();
  for (const std::string& path : {plain, packed}) {
    const size_t before = anonymous_memory();
    const IndexedLines lines(path, {}, folder.path());
    ASSERT_EQ(lines.size(), count);
    EXPECT_LT(anonymous_memory(), before + count * 8 + (size_t{4} << 20)) << path;
  }
}

TEST(IndexedLines, ThreadsReadTogether) {
  testing::TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 20000; ++i) text += std::to_string(i) + "\n";
  const IndexedLines lines(put(folder, "g", gzip(text)), {}, folder.path());
  std::vector<std::jthread> threads;
  std::atomic<int> wrong{0};
  for (uint64_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (uint64_t i = t; i < lines.size(); i += 3) wrong += lines.line(i) != std::to_string(i);
    });
  threads.clear();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace heed::data
