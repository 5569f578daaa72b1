// The protobuf wire format reader, on messages made by hand.
#include "heed/text/wire_reader.h"

#include <gmock/gmock.h>

#include <limits>

#include "heed/base/error.h"
#include "model_bytes.h"

namespace heed::text {
namespace {

using heed::testing::WireWriter;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const std::string kFile = "x.model";

TEST(WireReader, ReadsEveryKindOfValue) {
  const std::string bytes = WireWriter()
                                .number(1, static_cast<uint64_t>(int64_t{-1}))
                                .number(2, std::numeric_limits<uint64_t>::max())
                                .float32(3, -1.5f)
                                .bytes(536870911, std::string("a\0b", 3))
                                .number(5, 0)
                                .bytes(6, WireWriter().number(1, 300).str())
                                .str();
  WireReader reader(bytes, 0, kFile);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.int32(), -1);
  ASSERT_TRUE(reader.next());
  EXPECT_TRUE(reader.boolean());
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.float32(), -1.5f);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.field(), 536870911u);
  EXPECT_EQ(reader.bytes(), std::string_view("a\0b", 3));
  ASSERT_TRUE(reader.next());
  EXPECT_FALSE(reader.boolean());
  ASSERT_TRUE(reader.next());
  WireReader inner = reader.message();
  ASSERT_TRUE(inner.next());
  EXPECT_EQ(inner.int32(), 300);
  EXPECT_FALSE(inner.next());
  EXPECT_FALSE(reader.next());
}

TEST(WireReader, SkipsWhatItDoesNotKnow) {
  std::string bytes = WireWriter().number(1, 5).float32(2, 1).bytes(3, "abc").str();
  bytes.append("\x21").append(8, 'x');  // field 4, fixed64
  bytes += WireWriter().number(9, 1).str();
  WireReader reader(bytes, 0, kFile);
  for (uint32_t field = 1; field <= 4; ++field) {
    ASSERT_TRUE(reader.next());
    EXPECT_EQ(reader.field(), field);
    reader.skip();
  }
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.int32(), 1);
}

void skip_all(const std::string& bytes) {
  WireReader reader(bytes, 100, kFile);
  while (reader.next()) reader.skip();
}

TEST(WireReader, SaysWhereAndWhatIsWrong) {
  const auto fails = [](const char* message) { return ThrowsMessage<FormatError>(HasSubstr(message)); };
  EXPECT_THAT([] { skip_all("\x08\x80"); }, fails("x.model: byte 101: a protobuf number is cut off"));
  EXPECT_THAT([] { skip_all(std::string("\x08").append(9, '\x80').append("\x02")); }, fails("exceeds 64 bits"));
  EXPECT_THAT([] { skip_all(std::string("\x00\x01", 2)); }, fails("expected a protobuf field number"));
  EXPECT_THAT(
      [] {
        skip_all(
            "\x0A\x05"
            "abc");
      },
      fails("field 1 wants 5 bytes, but only 3 are left"));
  EXPECT_THAT([] { skip_all(std::string("\x0A").append(9, '\xFF').append("\x01")); },
              fails("wants 18446744073709551615 bytes"));
  EXPECT_THAT(
      [] {
        skip_all(
            "\x09"
            "1234567");
      },
      fails("wants 8 bytes"));
  EXPECT_THAT(
      [] {
        skip_all(
            "\x0D"
            "123");
      },
      fails("wants 4 bytes"));
  EXPECT_THAT([] { skip_all("\x0B"); }, fails("wire type of 0, 1, 2 or 5, got 3"));
  EXPECT_THAT(
      [] {
        const std::string bytes = "\x08\x01";
        WireReader reader(bytes, 0, kFile);
        reader.next();
        reader.bytes();
      },
      fails("expected field 1 to be a string or message (wire type 2), got wire type 0"));
  EXPECT_THAT(
      [] {
        const std::string bytes = "\x0A\x01z";
        WireReader reader(bytes, 0, kFile);
        reader.next();
        reader.int32();
      },
      fails("expected field 1 to be a number"));
}

}  // namespace
}  // namespace heed::text
