// Lines of plain and compressed files.
#include "heed/text/line_reader.h"

#include <gmock/gmock.h>
#include <zlib.h>
#include <zstd.h>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/random.h"
#include "shared_files.h"

namespace heed::text {
namespace {

using heed::testing::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

std::string gzip(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(compressBound(text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

class LineReaderTest : public ::testing::Test {
 protected:
  std::vector<std::string> lines(const std::string& content, size_t keep = std::string::npos) {
    write_file_atomically(folder_ / "text", content);
    LineReader reader(folder_ / "text", keep);
    std::vector<std::string> all;
    for (std::string line; reader.next(line);) all.push_back(line);
    EXPECT_EQ(reader.line_number(), static_cast<int64_t>(all.size()));
    return all;
  }

  TemporaryFolder folder_;
};

TEST_F(LineReaderTest, OnlyNewlinesEndLines) {
  EXPECT_THAT(lines(""), ElementsAre());
  EXPECT_THAT(lines("\n"), ElementsAre(""));
  EXPECT_THAT(lines("a"), ElementsAre("a"));
  EXPECT_THAT(lines("a\n\nb\n"), ElementsAre("a", "", "b"));
  EXPECT_THAT(lines("a\r\nb\rc\r\r\n\xE2\x80\xA8"
                    "d\xC2\x85\x0B\x0C"),
              ElementsAre("a", "b\rc\r",
                          "\xE2\x80\xA8"
                          "d\xC2\x85\x0B\x0C"));
  EXPECT_THAT(lines(std::string("a\0b\n", 4)), ElementsAre(std::string("a\0b", 3)));
}

TEST_F(LineReaderTest, AByteOrderMarkIsRemovedAtTheStartOnly) {
  EXPECT_THAT(lines("\xEF\xBB\xBF"
                    "a\n\xEF\xBB\xBF"
                    "b"),
              ElementsAre("a",
                          "\xEF\xBB\xBF"
                          "b"));
  EXPECT_THAT(lines("\xEF\xBB\xBF\r\n"), ElementsAre(""));
}

TEST_F(LineReaderTest, LongLinesAreCutWhereAskedFor) {
  EXPECT_THAT(lines("12345\n123456\r\n1234567\n12345\r\n1\r23456", 5),
              ElementsAre("12345", "12345", "12345", "12345", "1\r234"));
  EXPECT_THAT(lines(std::string(1000000, 'x') + "\ny", 7), ElementsAre("xxxxxxx", "y"));
  EXPECT_EQ(lines(std::string(1000000, 'x'))[0].size(), 1000000u);
}

TEST_F(LineReaderTest, CompressedTextIsReadWhateverTheNameAndTheNumberOfParts) {
  Random random(1);
  std::string text;
  for (int i = 0; i < 300000; ++i)
    text.push_back(random.below(30) == 0 ? '\n' : static_cast<char>('a' + random.below(26)));
  const std::vector<std::string> plain = lines(text);
  EXPECT_EQ(lines(gzip(text)), plain);
  EXPECT_EQ(lines(zstd(text)), plain);
  EXPECT_EQ(lines(gzip(text.substr(0, 70001)) + gzip("") + gzip(text.substr(70001))), plain);
  EXPECT_EQ(lines(zstd(text.substr(0, 70001)) + zstd("") + zstd(text.substr(70001))), plain);
  EXPECT_THAT(lines(gzip("")), ElementsAre());
  EXPECT_THAT(lines(zstd("")), ElementsAre());
  const std::string zeros(5000000, '\0');  // far more text than a buffer from few bytes
  EXPECT_EQ(lines(gzip(zeros))[0].size(), zeros.size());
  EXPECT_EQ(lines(zstd(zeros))[0].size(), zeros.size());
}

TEST_F(LineReaderTest, DamageIsReported) {
  std::string text;
  for (int i = 0; i < 20000; ++i) text += std::to_string(i * 7919) + "\n";
  for (std::string packed : {gzip(text), zstd(text)}) {
    EXPECT_THAT([&] { lines(packed.substr(0, packed.size() / 2)); }, ThrowsMessage<DataError>(HasSubstr("cut short")));
    EXPECT_THAT([&] { lines(packed.substr(0, packed.size() - 1)); }, ThrowsMessage<DataError>(HasSubstr("cut short")));
    packed.replace(packed.size() / 2, 8, 8, '\xAA');
    EXPECT_THAT([&] { lines(packed); }, ThrowsMessage<DataError>(HasSubstr("damaged")));
  }
}

TEST_F(LineReaderTest, MissingFilesAndFoldersAreNamed) {
  EXPECT_THAT([&] { LineReader(folder_ / "none"); }, ThrowsMessage<IoError>(HasSubstr("none: cannot open")));
  EXPECT_THAT([&] { LineReader(folder_.path()); }, ThrowsMessage<IoError>(HasSubstr("is a folder")));
}

}  // namespace
}  // namespace heed::text
