#include "heed/text/line_reader.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "heed/base/random.h"
#include "heed/base/utf8.h"
#include "made_files.h"
#include "message_of.h"

namespace heed::text {
namespace {

using heed::testing::gzip;
using heed::testing::message_of;
using heed::testing::peak_memory;
using heed::testing::put;
using heed::testing::zstd;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using std::string_literals::operator""s;
using std::string_view_literals::operator""sv;

struct Read {
  std::vector<std::string> lines;
  LineReport report;
};

Read read_lines(const std::string& path, LineOptions options = {}) {
  LineReader reader(path, options);
  Read out;
  for (std::string line; reader.next(line);) out.lines.push_back(line);
  std::string more = "untouched";
  EXPECT_FALSE(reader.next(more));  // the end stays the end
  out.report = reader.report();
  return out;
}

Read read_text(std::string_view text, LineOptions options = {}) {
  testing::TemporaryFolder folder;
  return read_lines(put(folder, "text", text), options);
}

TEST(LineReader, OnlyNewlineEndsALine) {
  const Read read = read_text("a\rb\n\u2028c\u0085\n\v\f\n");
  EXPECT_THAT(read.lines, ElementsAre("a\rb", "\u2028c\u0085", "\v\f"));
  EXPECT_EQ(read.report, (LineReport{.lines = 3, .longest = 6}));
}

TEST(LineReader, ALastLineNeedsNoNewline) {
  EXPECT_THAT(read_text("a\nb").lines, ElementsAre("a", "b"));
  EXPECT_THAT(read_text("a\nb\n").lines, ElementsAre("a", "b"));
  EXPECT_THAT(read_text("a\n\n").lines, ElementsAre("a", ""));
  EXPECT_THAT(read_text("\n").lines, ElementsAre(""));
  EXPECT_THAT(read_text("").lines, ElementsAre());
}

TEST(LineReader, OneCarriageReturnIsStripped) {
  const Read read = read_text("a\r\nb\r\r\n\r\nc\n\r");
  EXPECT_THAT(read.lines, ElementsAre("a", "b\r", "", "c", ""));
  EXPECT_EQ(read.report, (LineReport{.lines = 5, .empty = 2, .crlf = 4, .longest = 2}));
}

TEST(LineReader, AByteOrderMarkIsStrippedOnceAtTheStart) {
  const Read read = read_text("\ufeff\ufeffa\n\ufeffb\n");
  EXPECT_THAT(read.lines, ElementsAre("\ufeffa", "\ufeffb"));
  EXPECT_EQ(read.report.bom, 1u);
  EXPECT_THAT(read_text("\ufeff").lines, ElementsAre());
  EXPECT_THAT(read_text("\ufeff\n").lines, ElementsAre(""));
  EXPECT_EQ(read_text("\xef\xbb").report.bom, 0u);
  testing::TemporaryFolder folder;
  const Read members = read_lines(put(folder, "g", gzip("\ufeffa\n") + gzip("\ufeffb\n")));
  EXPECT_THAT(members.lines, ElementsAre("a", "\ufeffb"));
}

TEST(LineReader, NulAndMalformedUtf8AreReplacedAndCounted) {
  // The malformed parts are those of table 3-8 of the Unicode standard: six in the second line.
  const Read read =
      read_text("a\0b\0\n"s + "a\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf\x64\n" + "\xc0\xaf\n" + "é\n");
  EXPECT_THAT(read.lines,
              ElementsAre("a\ufffdb\ufffd", "a\ufffd\ufffd\ufffdb\ufffdc\ufffd\ufffdd", "\ufffd\ufffd", "é"));
  EXPECT_EQ(read.report, (LineReport{.lines = 4, .nul = 2, .invalid_utf8 = 8, .longest = 22}));
}

TEST(LineReader, StrictNamesFileLineAndByte) {
  const auto reason = [](std::string_view text) {
    return message_of<DataError>([&] { read_text(text, {.strict = true}); });
  };
  EXPECT_THAT(reason("fine\nab\xff\n"), HasSubstr("text:2: byte 3 (0xff) is not valid UTF-8"));
  EXPECT_THAT(reason("\ufeff\xed\xa0\x80\n"), HasSubstr("text:1: byte 1 (0xed) is not valid UTF-8"));
  EXPECT_THAT(reason("a\n\nb\0"s), HasSubstr("text:3: byte 2 is NUL"));
  EXPECT_EQ(reason("\ufeffcrlf\r\n\né\n"), "no error");
}

TEST(LineReader, ReportNamesWhatOccurred) {
  EXPECT_EQ(read_text("a\nb\n").report.text(), "2 lines");
  EXPECT_EQ(read_text("\ufeffa\r\n\n\0\xff"s).report.text(),
            "3 lines; 1 empty, 1 ended in CRLF, 1 byte order mark stripped, 1 NUL bytes replaced by U+FFFD, "
            "1 malformed UTF-8 parts replaced by U+FFFD");
  EXPECT_EQ(read_text("ab\n").report.json().dump(),
            R"({"lines":1,"empty":0,"crlf":0,"bom":0,"nul":0,"invalid_utf8":0,"longest":2})");
}

TEST(LineReader, LinesOfAnyLength) {
  std::string text;
  std::vector<std::string> expected;
  // Around the buffer's size and a million two-byte characters.
  for (const size_t size : {0, 1, 262142, 262143, 262144, 262145, 524288}) expected.emplace_back(size, 'x');
  std::string million;
  for (int i = 0; i < 1000000; ++i) million += "ü";
  expected.push_back(million);
  expected.emplace_back("end");
  for (const std::string& line : expected) text += line + "\n";
  testing::TemporaryFolder folder;
  for (const std::string& path : {put(folder, "p", text), put(folder, "g", gzip(text)), put(folder, "z", zstd(text))}) {
    const auto start = std::chrono::steady_clock::now();
    const Read read = read_lines(path);
    EXPECT_TRUE(read.lines == expected) << path;  // not EXPECT_EQ: a failure would print megabytes
    EXPECT_EQ(read.report.longest, 2000000u);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  }
}

TEST(LineReader, ALineBeyondTheLimitIsAnError) {
  const auto reason = [](std::string_view text) {
    return message_of<DataError>([&] { read_text(text, {.max_line_bytes = 5}); });
  };
  EXPECT_EQ(reason("12345\n\n12345"), "no error");
  EXPECT_THAT(reason("1\n123456\n"), HasSubstr("text:2: the line is longer than 5 bytes"));
  EXPECT_THAT(reason("123456"), HasSubstr("text:1: the line is longer than 5 bytes"));
  // The limit holds while the line is read, not only at its end, which here is broken off.
  const std::string bomb = gzip(std::string(5000000, 'x'));
  EXPECT_THAT(reason(bomb.substr(0, bomb.size() - 4)), HasSubstr("text:1: the line is longer than 5 bytes"));
}

TEST(LineReader, RandomBytesGiveValidLinesAsManyAsNewlines) {
  std::string text;
  Random random(3);
  for (int i = 0; i < 2000000; ++i) {
    // Half of the bytes from those that malformed sequences are made of.
    constexpr std::string_view kNasty = "\n\r\0\x80\xbf\xc0\xc3\xe0\xed\xef\xf0\xf4\xf5\xff\xbb \n"sv;
    text.push_back(random.below(2) ? static_cast<char>(random.below(256)) : kNasty[random.below(kNasty.size())]);
  }
  text += '\n';
  const Read read = read_text(text);
  EXPECT_EQ(read.lines.size(), static_cast<size_t>(std::count(text.begin(), text.end(), '\n')));
  EXPECT_EQ(read.report.lines, read.lines.size());
  for (const std::string& line : read.lines) {
    ASSERT_TRUE(is_valid_utf8(line));
    ASSERT_EQ(line.find_first_of("\n\0"sv), std::string::npos);
  }
  EXPECT_EQ(read.report.nul, static_cast<uint64_t>(std::count(text.begin(), text.end(), '\0')));
}

TEST(LineReader, ATruncatedFileIsNeverSilentlyShort) {
  testing::TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 10000; ++i) text += "line " + std::to_string(i) + "\n";
  for (const auto& packed : {gzip(text), zstd(text)}) {
    const std::string path = put(folder, "cut", packed.substr(0, packed.size() / 2));
    LineReader reader(path);
    std::string line;
    uint64_t lines = 0;
    const std::string message = message_of<DataError>([&] {
      while (reader.next(line)) ASSERT_EQ(line, "line " + std::to_string(lines++));
    });
    EXPECT_THAT(message, HasSubstr(fmt::format("ends at byte {}", packed.size() / 2)));
  }
}

TEST(LineReader, ZeroBytesAreNoLines) {
  EXPECT_EQ(read_text("").report, LineReport());
  testing::TemporaryFolder folder;
  EXPECT_EQ(read_lines(put(folder, "g", gzip(""))).report, LineReport());
}

TEST(LineReader, ALineIsGivenOutAsSoonAsItIsThere) {
  testing::TemporaryFolder folder;
  const std::string path = (folder / "fifo").string();
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const int writer = ::open(path.c_str(), O_RDWR);  // both ends, so that opening does not wait
  ASSERT_GE(writer, 0);
  ASSERT_EQ(::write(writer, "a\nb", 3), 3);
  LineReader reader(path);
  std::string line;
  ASSERT_TRUE(reader.next(line));  // would wait for ever if it wanted more
  EXPECT_EQ(line, "a");
  ASSERT_EQ(::write(writer, "c\n", 2), 2);
  ASSERT_TRUE(reader.next(line));
  EXPECT_EQ(line, "bc");
  ::close(writer);
  EXPECT_FALSE(reader.next(line));
}

TEST(LineReader, AByteOrderMarkMayComeInPieces) {
  testing::TemporaryFolder folder;
  const std::string path = (folder / "fifo").string();
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  std::jthread writer([&] {
    const int out = ::open(path.c_str(), O_WRONLY);
    for (const char c : std::string_view("\ufeffa\nb\n")) {
      EXPECT_EQ(::write(out, &c, 1), 1);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    ::close(out);
  });
  const Read read = read_lines(path);
  EXPECT_THAT(read.lines, ElementsAre("a", "b"));
  EXPECT_EQ(read.report.bom, 1u);
}

TEST(LineReader, DashIsStandardInput) {
  testing::TemporaryFolder folder;
  const int file = ::open(put(folder, "in", gzip("one\ntwo\n")).c_str(), O_RDONLY);
  const int saved = ::dup(STDIN_FILENO);
  ASSERT_GE(::dup2(file, STDIN_FILENO), 0);
  EXPECT_THAT(read_lines("-").lines, ElementsAre("one", "two"));
  ASSERT_GE(::lseek(STDIN_FILENO, 0, SEEK_SET), 0);  // still open
  ::dup2(saved, STDIN_FILENO);
  ::close(saved);
  ::close(file);
}

TEST(LineReader, MemoryDoesNotGrowWithTheFile) {
  testing::TemporaryFolder folder;
  // 200 MB of text in 200 members of one packed megabyte.
  std::string megabyte;
  while (megabyte.size() < 1000000)
    megabyte += "a line of some words, repeated to a megabyte " + std::to_string(megabyte.size()) + "\n";
  const uint64_t lines = static_cast<uint64_t>(std::count(megabyte.begin(), megabyte.end(), '\n'));
  const std::string member = gzip(megabyte);
  std::string file;
  for (int i = 0; i < 200; ++i) file += member;
  const std::string path = put(folder, "big.gz", file);
  const size_t before = peak_memory();
  LineReader reader(path);
  std::string line;
  while (reader.next(line)) {}
  EXPECT_EQ(reader.report().lines, 200 * lines);
  EXPECT_LT(peak_memory(), before + (size_t{32} << 20));
}

}  // namespace
}  // namespace heed::text
