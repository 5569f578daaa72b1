#include "heed/text/wire_reader.h"

#include <bit>

#include "heed/base/error.h"

namespace heed::text {
namespace {

constexpr uint32_t kVarint = 0, kFixed64 = 1, kLengthDelimited = 2, kFixed32 = 5;

}  // namespace

bool WireReader::next() {
  if (at_ == bytes_.size()) return false;
  const size_t start = position();
  const uint64_t tag = varint();
  wire_type_ = static_cast<uint32_t>(tag & 7);
  check<FormatError>(tag >> 3 > 0 && tag >> 3 < (uint64_t{1} << 29),
                     "{}: byte {}: expected a protobuf field number of 1 to 2^29 - 1, got {}", *file_, start, tag >> 3);
  field_ = static_cast<uint32_t>(tag >> 3);
  return true;
}

uint64_t WireReader::varint() {
  const size_t start = position();
  uint64_t value = 0;
  for (uint32_t shift = 0; shift < 64; shift += 7) {
    check<FormatError>(at_ < bytes_.size(), "{}: byte {}: a protobuf number is cut off", *file_, start);
    const auto byte = static_cast<uint8_t>(bytes_[at_++]);
    check<FormatError>(shift < 63 || byte <= 1, "{}: byte {}: a protobuf number exceeds 64 bits", *file_, start);
    value |= uint64_t{byte & 0x7Fu} << shift;
    if (byte < 0x80) return value;
  }
  fail<FormatError>("{}: byte {}: a protobuf number is longer than 10 bytes", *file_, start);
}

std::string_view WireReader::take(uint64_t length) {
  const size_t left = bytes_.size() - at_;
  check<FormatError>(length <= left, "{}: byte {}: field {} wants {} bytes, but only {} are left", *file_, position(),
                     field_, length, left);
  const std::string_view value = bytes_.substr(at_, static_cast<size_t>(length));
  at_ += static_cast<size_t>(length);
  return value;
}

void WireReader::expect(uint32_t wire_type, const char* what) const {
  check<FormatError>(wire_type_ == wire_type,
                     "{}: byte {}: expected field {} to be {} (wire type {}), got wire type {}", *file_, position(),
                     field_, what, wire_type, wire_type_);
}

uint64_t WireReader::varint_value() {
  expect(kVarint, "a number");
  return varint();
}

float WireReader::float32() {
  expect(kFixed32, "a float");
  uint32_t word = 0;
  const std::string_view four = take(4);
  for (size_t i = 0; i < 4; ++i) word |= uint32_t{static_cast<uint8_t>(four[i])} << (8 * i);
  return std::bit_cast<float>(word);
}

std::string_view WireReader::bytes() {
  expect(kLengthDelimited, "a string or message");
  return take(varint());
}

WireReader WireReader::message() {
  const std::string_view content = bytes();
  return {content, position() - content.size(), *file_};
}

void WireReader::skip() {
  switch (wire_type_) {
    case kVarint: varint(); return;
    case kFixed64: take(8); return;
    case kLengthDelimited: take(varint()); return;
    case kFixed32: take(4); return;
    default:
      fail<FormatError>("{}: byte {}: expected a protobuf wire type of 0, 1, 2 or 5, got {}", *file_, position(),
                        wire_type_);
  }
}

}  // namespace heed::text
