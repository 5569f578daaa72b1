#include "heed/base/tensorboard.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <string>
#include <system_error>

#include "heed/base/error.h"
#include "heed/base/utf8.h"

namespace heed {
namespace fs = std::filesystem;
namespace {

// Field numbers of tensorflow/core/util/event.proto and framework/summary.proto.
constexpr uint32_t kEventWallTime = 1, kEventStep = 2, kEventFileVersion = 3, kEventSummary = 5, kEventSessionLog = 7;
constexpr uint32_t kSummaryValue = 1, kValueTag = 1, kValueSimple = 2, kSessionLogStatus = 1;
constexpr uint64_t kSessionStart = 1;

enum class Wire : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

template <class Integer>
void append_little_endian(std::string& out, Integer value) {
  for (size_t i = 0; i < sizeof value; ++i) out.push_back(static_cast<char>(value >> 8 * i));
}

void append_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

void append_key(std::string& out, uint32_t field, Wire wire) {
  append_varint(out, field << 3 | static_cast<uint32_t>(wire));
}

void append_varint_field(std::string& out, uint32_t field, uint64_t value) {
  append_key(out, field, Wire::kVarint);
  append_varint(out, value);
}

void append_bytes_field(std::string& out, uint32_t field, std::string_view value) {
  append_key(out, field, Wire::kBytes);
  append_varint(out, value.size());
  out += value;
}

// An Event's first two fields.
std::string event_at(double wall_time, int64_t step) {
  std::string event;
  append_key(event, kEventWallTime, Wire::kFixed64);
  append_little_endian(event, std::bit_cast<uint64_t>(wall_time));
  append_varint_field(event, kEventStep, static_cast<uint64_t>(step));
  return event;
}

std::string encode_scalar(const Scalar& scalar) {
  std::string value;
  append_bytes_field(value, kValueTag, to_valid_utf8(scalar.tag));
  append_key(value, kValueSimple, Wire::kFixed32);
  append_little_endian(value, std::bit_cast<uint32_t>(static_cast<float>(scalar.value)));
  return value;
}

// CRC32C (Castagnoli), a byte at a time, and TFRecord's mask, which keeps checksums of checksums apart.
constexpr std::array<uint32_t, 256> kCrcTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    table[byte] = byte;
    for (int bit = 0; bit < 8; ++bit) table[byte] = table[byte] >> 1 ^ (table[byte] & 1 ? 0x82F63B78 : 0);
  }
  return table;
}();

uint32_t masked_crc(std::string_view data) {
  uint32_t crc = ~0u;
  for (const char c : data) crc = kCrcTable[(crc ^ static_cast<uint8_t>(c)) & 0xFF] ^ crc >> 8;
  return std::rotr(~crc, 15) + 0xA282EAD8;
}

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  std::string host = name.data();
  std::replace(host.begin(), host.end(), '/', '-');
  return host;
}

}  // namespace

TensorBoardWriter::TensorBoardWriter(const fs::path& folder, std::optional<int64_t> first_repeated_step) {
  std::error_code code;
  fs::create_directories(folder, code);
  check<IoError>(!code, "{}: cannot create the folder: {}", folder.string(), code.message());
  const double start = now();
  const std::string name = fmt::format("events.out.tfevents.{:010}.{}", static_cast<int64_t>(start), host_name());
  for (int number = 0; fd_ < 0; ++number) {
    file_ = folder / (number == 0 ? name : fmt::format("{}.{}", name, number));
    fd_ = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
    check<IoError>(fd_ >= 0 || errno == EEXIST, "{}: cannot create: {}", file_.string(), errno_text(errno));
  }
  try {
    std::string version = event_at(start, 0);
    append_bytes_field(version, kEventFileVersion, "brain.Event:2");
    append_record(version);
    if (first_repeated_step) {
      std::string session = event_at(start, *first_repeated_step), log;
      append_varint_field(log, kSessionLogStatus, kSessionStart);
      append_bytes_field(session, kEventSessionLog, log);
      append_record(session);
    }
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

TensorBoardWriter::~TensorBoardWriter() { ::close(fd_); }

void TensorBoardWriter::write(int64_t step, std::span<const Scalar> scalars, std::optional<double> wall_time) {
  std::string summary;
  for (const Scalar& scalar : scalars) append_bytes_field(summary, kSummaryValue, encode_scalar(scalar));
  std::string event = event_at(wall_time.value_or(now()), step);
  append_bytes_field(event, kEventSummary, summary);
  append_record(event);
}

void TensorBoardWriter::append_record(std::string_view data) {
  std::string record;
  append_little_endian(record, uint64_t{data.size()});
  append_little_endian(record, masked_crc(record));
  record += data;
  append_little_endian(record, masked_crc(data));
  for (size_t written = 0; written < record.size();) {
    const ssize_t n = ::write(fd_, record.data() + written, record.size() - written);
    if (n >= 0) {
      written += static_cast<size_t>(n);
    } else if (errno != EINTR) {
      const int error = errno;
      const bool cut = ::ftruncate(fd_, end_) == 0;
      fail<IoError>("{}: cannot write{}: {}", file_.string(), cut ? "" : ", nor cut off the unfinished record",
                    errno_text(error));
    }
  }
  end_ += static_cast<int64_t>(record.size());
}

}  // namespace heed
