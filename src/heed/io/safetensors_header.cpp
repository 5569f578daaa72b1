#include "heed/io/safetensors_header.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "heed/base/error.h"
#include "heed/base/json.h"
#include "heed/base/utf8.h"

namespace heed::io {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// A reader of the header's grammar. Every member skips the whitespace before what it reads.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& file, SafeTensorsHeader& header)
      : text_(text), file_(file), header_(header) {}

  void parse();

 private:
  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    fail<FormatError>("{}: byte {} of the safetensors header: {}", file_, at_,
                      fmt::format(format, std::forward<Args>(args)...));
  }

  void skip_space();
  bool take(char c);
  void expect(char c, const char* what);
  template <class Member>
  void object(const char* what, Member member);
  std::string_view string(const char* what);
  std::string_view unescape(std::string_view raw);
  uint32_t unicode_escape(std::string_view raw, size_t& i) const;
  uint64_t number(const char* what);

  void metadata();
  void tensor(std::string_view name);
  std::string_view shape(uint64_t& elements);
  void offsets(TensorEntry& entry);
  const FileDType& dtype();

  std::string_view text_;
  const std::string& file_;
  SafeTensorsHeader& header_;
  size_t at_ = 0;
};

void HeaderParser::skip_space() {
  while (at_ < text_.size() && is_space(text_[at_])) ++at_;
}

bool HeaderParser::take(char c) {
  skip_space();
  if (at_ == text_.size() || text_[at_] != c) return false;
  ++at_;
  return true;
}

void HeaderParser::expect(char c, const char* what) {
  if (take(c)) return;
  if (at_ == text_.size()) refuse("expected {}, but the header ends", what);
  refuse("expected {}, found {}", what, in_quotes(text_.substr(at_, 1)));
}

template <class Member>
void HeaderParser::object(const char* what, Member member) {
  expect('{', what);
  if (take('}')) return;
  do {
    const std::string_view key = string("a key in quotes");
    expect(':', "':'");
    member(key);
  } while (take(','));
  expect('}', "',' or '}'");
}

std::string_view HeaderParser::string(const char* what) {
  expect('"', what);
  const size_t begin = at_;
  bool escaped = false;
  for (;; ++at_) {
    if (at_ == text_.size()) refuse("a string without its closing quote");
    const char c = text_[at_];
    if (c == '"') break;
    if (static_cast<unsigned char>(c) < 0x20) refuse("a control character in a string");
    if (c != '\\') continue;
    escaped = true;
    if (++at_ == text_.size()) refuse("a string without its closing quote");
  }
  const std::string_view raw = text_.substr(begin, at_ - begin);
  ++at_;
  return escaped ? unescape(raw) : raw;
}

std::string_view HeaderParser::unescape(std::string_view raw) {
  std::string out;
  for (size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\') {
      out.push_back(raw[i]);
      continue;
    }
    switch (raw[++i]) {
      case '"': out.push_back('"'); break;
      case '\\': out.push_back('\\'); break;
      case '/': out.push_back('/'); break;
      case 'b': out.push_back('\b'); break;
      case 'f': out.push_back('\f'); break;
      case 'n': out.push_back('\n'); break;
      case 'r': out.push_back('\r'); break;
      case 't': out.push_back('\t'); break;
      case 'u': append_utf8(out, unicode_escape(raw, i)); break;
      default: refuse("an unknown escape in a string");
    }
  }
  return header_.unescaped.emplace_back(std::move(out));
}

// The code point of \uXXXX, or of two of them where the first is a high surrogate; `i` goes from the first 'u' to the
// last digit.
uint32_t HeaderParser::unicode_escape(std::string_view raw, size_t& i) const {
  const auto unit = [&] {
    uint32_t value = 0;
    for (int digit = 0; digit < 4; ++digit) {
      const char c = ++i < raw.size() ? raw[i] : '?';
      const char lower = static_cast<char>(c | 0x20);
      if (!is_digit(c) && !(lower >= 'a' && lower <= 'f')) refuse("\\u without four hexadecimal digits");
      value = value << 4 | static_cast<uint32_t>(is_digit(c) ? c - '0' : lower - 'a' + 10);
    }
    return value;
  };
  const uint32_t high = unit();
  if (high < 0xD800 || high > 0xDFFF) return high;
  if (high <= 0xDBFF && raw.substr(i + 1, 2) == "\\u") {
    i += 2;
    const uint32_t low = unit();
    if (low >= 0xDC00 && low <= 0xDFFF) return 0x10000 + (high - 0xD800) * 0x400 + (low - 0xDC00);
  }
  refuse("half of a surrogate pair in a string");
}

uint64_t HeaderParser::number(const char* what) {
  skip_space();
  const size_t begin = at_;
  uint64_t value = 0;
  for (; at_ < text_.size() && is_digit(text_[at_]); ++at_) {
    const auto digit = static_cast<uint64_t>(text_[at_] - '0');
    if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digit, &value))
      refuse("{} does not fit 64 bits", what);
  }
  if (at_ == begin) refuse("expected {}: a whole number, not negative", what);
  if (text_[begin] == '0' && at_ - begin > 1) refuse("{} with a leading zero", what);
  if (at_ < text_.size() && (text_[at_] == '.' || text_[at_] == 'e' || text_[at_] == 'E'))
    refuse("{} is not a whole number", what);
  return value;
}

void HeaderParser::parse() {
  bool metadata_seen = false;
  object("'{'", [&](std::string_view key) {
    if (key != "__metadata__") return tensor(key);
    if (std::exchange(metadata_seen, true)) refuse("the key \"__metadata__\" appears twice");
    metadata();
  });
  skip_space();
  if (at_ != text_.size()) refuse("something follows the header's closing brace");
}

void HeaderParser::metadata() {
  auto& entries = header_.metadata;
  object("the map of __metadata__", [&](std::string_view key) {
    entries.emplace_back(key, string("a string in __metadata__"));
    if (entries.size() > kMaxMetadata) refuse("more than {} entries in __metadata__", kMaxMetadata);
  });
  std::ranges::sort(entries);
  const auto same_key = [](const auto& a, const auto& b) { return a.first == b.first; };
  const auto twice = std::ranges::adjacent_find(entries, same_key);
  if (twice != entries.end()) refuse("the key {} appears twice in __metadata__", in_quotes(twice->first));
}

void HeaderParser::tensor(std::string_view name) {
  TensorEntry entry{.name = name, .shape = {}};
  uint64_t elements = 0;
  bool offsets_seen = false;
  object("a tensor's description", [&](std::string_view key) {
    const auto once = [&](bool first) {
      if (!first) refuse("the key {} appears twice in tensor {}", in_quotes(key), in_quotes(name));
    };
    if (key == "dtype") once(!entry.dtype), entry.dtype = &dtype();
    else if (key == "shape") once(entry.shape.empty()), entry.shape = shape(elements);
    else if (key == "data_offsets") once(!std::exchange(offsets_seen, true)), offsets(entry);
    else refuse("unknown key {} in tensor {}", in_quotes(key), in_quotes(name));
  });
  const auto required = [&](bool there, const char* key) {
    if (!there) refuse("tensor {} has no {}", in_quotes(name), key);
  };
  required(entry.dtype, "dtype");
  required(!entry.shape.empty(), "shape");
  required(offsets_seen, "data_offsets");
  if (entry.begin > entry.end) refuse("tensor {} ends before it begins", in_quotes(name));
  uint64_t bits = 0;
  if (__builtin_mul_overflow(elements, static_cast<uint64_t>(entry.dtype->bits), &bits))
    refuse("the size of tensor {} overflows", in_quotes(name));
  if (bits % 8) refuse("tensor {} is no whole number of bytes", in_quotes(name));
  if (bits / 8 != entry.end - entry.begin)
    refuse("tensor {}: {} of shape {} takes {} bytes, but its offsets are {} apart", in_quotes(name), entry.dtype->name,
           entry.shape.substr(0, 80), bits / 8, entry.end - entry.begin);
  header_.tensors.push_back(entry);
  if (header_.tensors.size() > kMaxTensors) refuse("more than {} tensors", kMaxTensors);
}

const FileDType& HeaderParser::dtype() {
  const std::string_view name = string("the name of a dtype");
  for (const FileDType& known : file_dtypes())
    if (known.name == name) return known;
  refuse("unknown dtype {}", in_quotes(name));
}

std::string_view HeaderParser::shape(uint64_t& elements) {
  expect('[', "the list of a shape");
  const size_t begin = at_ - 1;
  elements = 1;
  if (!take(']')) {
    do {
      const uint64_t dim = number("a dimension");
      if (dim > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) refuse("a dimension exceeds 2^63 - 1");
      if (__builtin_mul_overflow(elements, dim, &elements)) refuse("the product of a shape overflows");
    } while (take(','));
    expect(']', "',' or ']'");
  }
  return text_.substr(begin, at_ - begin);
}

void HeaderParser::offsets(TensorEntry& entry) {
  expect('[', "the list of data_offsets");
  entry.begin = number("a begin offset");
  expect(',', "the second of two data_offsets");
  entry.end = number("an end offset");
  expect(']', "the end of two data_offsets");
}

// Tensors in the order of their data, which must cover it without a hole or an overlap.
void order_by_data(SafeTensorsHeader& header, uint64_t data_bytes, const std::string& file) {
  auto& tensors = header.tensors;
  const auto earlier = [](const TensorEntry& a, const TensorEntry& b) {
    if (a.begin != b.begin) return a.begin < b.begin;
    if (a.end != b.end) return a.end < b.end;
    return a.shape.data() < b.shape.data();  // empty tensors at one place keep the header's order
  };
  if (!std::ranges::is_sorted(tensors, earlier)) std::ranges::sort(tensors, earlier);
  uint64_t covered = 0;
  for (const TensorEntry& t : tensors) {
    if (t.begin < covered)
      fail<FormatError>("{}: tensor {} begins at byte {} of the data, inside the one before it", file,
                        in_quotes(t.name), t.begin);
    if (t.begin > covered)
      fail<FormatError>("{}: a hole in the data before tensor {}, from byte {} to {}", file, in_quotes(t.name), covered,
                        t.begin);
    covered = t.end;
  }
  check<FormatError>(covered <= data_bytes, "{}: is cut short: its tensors take {} bytes, but {} follow the header",
                     file, covered, data_bytes);
  check<FormatError>(covered >= data_bytes, "{}: {} bytes follow the last tensor's data", file, data_bytes - covered);
}

void order_by_name(SafeTensorsHeader& header, const std::string& file) {
  const auto& tensors = header.tensors;
  const auto name_of_index = [&](uint32_t i) { return tensors[i].name; };
  header.by_name.resize(tensors.size());
  for (uint32_t i = 0; i < tensors.size(); ++i) header.by_name[i] = i;
  if (!std::ranges::is_sorted(header.by_name, {}, name_of_index)) std::ranges::sort(header.by_name, {}, name_of_index);
  const auto twice = std::ranges::adjacent_find(header.by_name, {}, name_of_index);
  if (twice != header.by_name.end())
    fail<FormatError>("{}: the tensor {} appears twice", file, in_quotes(tensors[*twice].name));
}

}  // namespace

const std::vector<FileDType>& file_dtypes() {
  static const std::vector<FileDType> dtypes{{"BOOL", 8, DType::kU8},
                                             {"F4", 4, {}},
                                             {"F6_E2M3", 6, {}},
                                             {"F6_E3M2", 6, {}},
                                             {"U8", 8, DType::kU8},
                                             {"I8", 8, DType::kI8},
                                             {"F8_E5M2", 8, {}},
                                             {"F8_E4M3", 8, {}},
                                             {"F8_E8M0", 8, {}},
                                             {"F8_E4M3FNUZ", 8, {}},
                                             {"F8_E5M2FNUZ", 8, {}},
                                             {"I16", 16, {}},
                                             {"U16", 16, {}},
                                             {"F16", 16, DType::kF16},
                                             {"BF16", 16, DType::kBF16},
                                             {"I32", 32, DType::kI32},
                                             {"U32", 32, {}},
                                             {"F32", 32, DType::kF32},
                                             {"C64", 64, {}},
                                             {"F64", 64, {}},
                                             {"I64", 64, DType::kI64},
                                             {"U64", 64, {}}};
  return dtypes;
}

std::vector<int64_t> TensorEntry::dims() const {
  std::vector<int64_t> dims;
  bool inside = false;  // a number
  for (const char c : shape) {
    if (!is_digit(c)) {
      inside = false;
      continue;
    }
    if (!std::exchange(inside, true)) dims.push_back(0);
    dims.back() = dims.back() * 10 + (c - '0');
  }
  return dims;
}

const TensorEntry* SafeTensorsHeader::find(std::string_view name) const {
  const auto name_of_index = [&](uint32_t i) { return tensors[i].name; };
  const auto it = std::ranges::lower_bound(by_name, name, {}, name_of_index);
  return it != by_name.end() && tensors[*it].name == name ? &tensors[*it] : nullptr;
}

uint64_t header_claim(std::string_view first8, uint64_t file_size) {
  uint64_t length = 0;
  std::memcpy(&length, first8.data(), std::min(first8.size(), sizeof length));
  const bool plausible = file_size >= sizeof length && length <= kMaxHeaderBytes && length <= file_size - sizeof length;
  return plausible ? sizeof length + length : std::min<uint64_t>(file_size, sizeof length);
}

SafeTensorsHeader parse_safetensors_header(std::string_view file, const std::string& name) {
  return parse_safetensors_header(file, file.size(), name);
}

SafeTensorsHeader parse_safetensors_header(std::string_view beginning, uint64_t file_size, const std::string& name) {
  uint64_t length = 0;
  check<FormatError>(file_size >= sizeof length, "{}: {} bytes are too few for a safetensors file", name, file_size);
  std::memcpy(&length, beginning.data(), sizeof length);
  static_assert(std::endian::native == std::endian::little);
  check<FormatError>(length <= kMaxHeaderBytes, "{}: a safetensors header of {} bytes; at most {} are allowed", name,
                     length, kMaxHeaderBytes);
  check<FormatError>(length <= file_size - sizeof length,
                     "{}: is cut short: its header should take {} bytes, but {} follow", name, length,
                     file_size - sizeof length);
  const std::string_view text = beginning.substr(sizeof length, length);
  check<FormatError>(is_valid_utf8(text), "{}: the safetensors header is not valid UTF-8", name);
  SafeTensorsHeader header;
  header.data_begin = sizeof length + length;
  HeaderParser(text, name, header).parse();
  order_by_data(header, file_size - header.data_begin, name);
  order_by_name(header, name);
  return header;
}

std::string in_quotes(std::string_view text) {
  const bool cut = text.size() > 80;
  return Json(std::string(text.substr(0, 80))).dump(-1, ' ', false, Json::error_handler_t::replace) +
         (cut ? "..." : "");
}

}  // namespace heed::io
