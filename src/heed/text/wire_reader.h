// Reads the fields of one protobuf message in wire format (protobuf.dev, "Encoding"): a sequence of (tag, value), the
// tag holding the field's number and one of the wire types varint, fixed64, length-delimited and fixed32.
//
// The bytes are untrusted: whatever does not fit is a FormatError naming the file and the offset. Groups (wire types 3
// and 4, long deprecated) are refused. Views point into the given bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace heed::text {

class WireReader {
 public:
  // `offset` is where `bytes` begin in the file, for messages.
  WireReader(std::string_view bytes, size_t offset, const std::string& file)
      : bytes_(bytes), offset_(offset), file_(&file) {}

  // Goes to the next field; false at the end. The former field's value must have been read or skipped.
  bool next();

  uint32_t field() const { return field_; }

  // The value of the current field.
  int32_t int32() { return static_cast<int32_t>(static_cast<uint32_t>(varint_value())); }
  bool boolean() { return varint_value() != 0; }
  float float32();
  std::string_view bytes();
  // A message inside this one.
  WireReader message();
  void skip();

 private:
  uint64_t varint();
  uint64_t varint_value();
  std::string_view take(uint64_t length);
  void expect(uint32_t wire_type, const char* what) const;
  size_t position() const { return offset_ + at_; }

  std::string_view bytes_;
  size_t offset_;
  const std::string* file_;
  size_t at_ = 0;
  uint32_t field_ = 0;
  uint32_t wire_type_ = 0;
};

}  // namespace heed::text
