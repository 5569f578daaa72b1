#include "heed/text/line_reader.h"

#include <algorithm>
#include <cstring>

#include "heed/base/error.h"
#include "heed/base/utf8.h"

namespace heed::text {
namespace {

constexpr size_t kBufferSize = size_t{1} << 18;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// True if the line is ASCII without NUL, as most lines or at least most of their bytes are.
bool is_plain_ascii(std::string_view line) {
  // Without a branch in the loop the compiler vectorises it. 1..127 are the only bytes whose predecessor is below 127.
  unsigned bad = 0;
  for (const char c : line) bad |= static_cast<uint8_t>(c - 1) >= 127;
  return bad == 0;
}

bool is_clean(std::string_view line) {
  return is_plain_ascii(line) || (line.find('\0') == std::string_view::npos && is_valid_utf8(line));
}

}  // namespace

std::string LineReport::text() const {
  std::string out = fmt::format("{} lines", lines);
  const char* separator = "; ";
  const auto mention = [&](uint64_t count, std::string_view what) {
    if (count == 0) return;
    out += fmt::format("{}{} {}", separator, count, what);
    separator = ", ";
  };
  mention(empty, "empty");
  mention(crlf, "ended in CRLF");
  mention(bom, "byte order mark stripped");
  mention(nul, "NUL bytes replaced by U+FFFD");
  mention(invalid_utf8, "malformed UTF-8 parts replaced by U+FFFD");
  return out;
}

Json LineReport::json() const {
  return {{"lines", lines},    {"empty", empty}, {"crlf", crlf},
          {"bom", bom},        {"nul", nul},     {"invalid_utf8", invalid_utf8},
          {"longest", longest}};
}

std::string_view without_carriage_return(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string cleaned(std::string_view line) {
  if (is_clean(line)) return std::string(line);
  std::string out;
  out.reserve(line.size() + line.size() / 8);
  while (!line.empty()) {
    const CodePoint c = decode_utf8(line);
    append_utf8(out, c.value == 0 ? kReplacementCharacter : c.value);
    line.remove_prefix(c.length);
  }
  return out;
}

LineRules::LineRules(std::string name, LineOptions options) : name_(std::move(name)), options_(options) {}

size_t LineRules::byte_order_mark(std::string_view head) {
  if (!head.starts_with(kByteOrderMark)) return 0;
  ++report_.bom;
  return kByteOrderMark.size();
}

std::string_view LineRules::apply(std::string_view line, std::string& scratch) {
  check_length(line.size());
  ++report_.lines;
  const std::string_view stripped = without_carriage_return(line);
  report_.crlf += stripped.size() != line.size();
  report_.empty += stripped.empty();
  std::string_view result = stripped;
  if (!is_clean(stripped)) {
    count_replaced(stripped);
    scratch = cleaned(stripped);
    result = scratch;
  }
  report_.longest = std::max<uint64_t>(report_.longest, result.size());
  return result;
}

std::string LineRules::place() const { return fmt::format("{}:{}", name_, report_.lines); }

void LineRules::check_length(uint64_t bytes) const {
  check<DataError>(bytes <= options_.max_line_bytes, "{}:{}: the line is longer than {} bytes", name_,
                   report_.lines + 1, options_.max_line_bytes);
}

void LineRules::count_replaced(std::string_view line) {
  size_t at = 0;
  while (at < line.size()) {
    const CodePoint c = decode_utf8(line.substr(at));
    check<DataError>(c.valid || !options_.strict, "{}: byte {} (0x{:02x}) is not valid UTF-8", place(), at + 1,
                     static_cast<uint8_t>(line[at]));
    check<DataError>(c.value != 0 || !options_.strict, "{}: byte {} is NUL", place(), at + 1);
    report_.invalid_utf8 += !c.valid;
    report_.nul += c.value == 0;
    at += c.length;
  }
}

LineReader::LineReader(const std::string& path, LineOptions options)
    : bytes_(open_bytes(path)), rules_(input_name(path), options), buffer_(kBufferSize) {}

bool LineReader::next(std::string& line) {
  raw_.clear();
  for (;;) {
    const std::string_view pending(buffer_.data() + begin_, end_ - begin_);
    const size_t length = pending.find('\n');
    if (length != std::string_view::npos) {
      begin_ += length + 1;
      // Most lines lie in the buffer whole and need no copy before the rules.
      if (raw_.empty()) return line = rules_.apply(pending.substr(0, length), scratch_), true;
      raw_ += pending.substr(0, length);
      return line = rules_.apply(raw_, scratch_), true;
    }
    raw_ += pending;
    begin_ = end_ = 0;
    rules_.check_length(raw_.size());
    if (!fill()) break;
  }
  if (raw_.empty()) return false;
  return line = rules_.apply(raw_, scratch_), true;
}

bool LineReader::fill() {
  end_ = bytes_->read(buffer_);
  if (started_) return end_ > 0;
  started_ = true;
  // A pipe may deliver the first three bytes one by one.
  while (end_ > 0 && end_ < kByteOrderMark.size() && kByteOrderMark.starts_with({buffer_.data(), end_})) {
    const size_t more = bytes_->read(std::span(buffer_).subspan(end_));
    if (more == 0) break;
    end_ += more;
  }
  begin_ = rules_.byte_order_mark({buffer_.data(), end_});
  return end_ > 0;
}

}  // namespace heed::text
