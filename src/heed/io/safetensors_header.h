// The header of a safetensors file, by its specification (github.com/huggingface/safetensors, README "Format").
//
// A file is a little-endian u64 N, N bytes of JSON, and the data. The JSON maps each tensor's name to its dtype, shape
// and data_offsets [begin, end) in the data, and "__metadata__" to a map of strings. The parser below reads exactly
// that grammar, with a fixed depth and in one pass, so that a hostile header costs no more than its own length: names,
// shapes and metadata stay where they are in the file, about 60 bytes are kept per tensor.
//
// Stricter than the reference reader where it is lax: a repeated key and an unknown key of a tensor are refused.
// As lax where its tests demand it: JSON whitespace may also precede the '{'. A header is immutable once parsed.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "heed/core/dtype.h"

namespace heed::io {

inline constexpr uint64_t kMaxHeaderBytes = 100'000'000;
inline constexpr size_t kMaxTensors = 1'000'000;  // in one file
inline constexpr size_t kMaxMetadata = 100'000;   // entries of __metadata__

// An element type of the format. Heed holds some of them (BOOL as u8); the others are only counted in bytes.
struct FileDType {
  std::string_view name;
  int bits = 0;
  std::optional<DType> held;
};

// All of them, in the format's own order, by which writers sort tensors (descending).
const std::vector<FileDType>& file_dtypes();

struct TensorEntry {
  std::string_view name;
  std::string_view shape;  // its JSON, "[2, 3]", known to be well formed
  uint64_t begin = 0, end = 0;
  const FileDType* dtype = nullptr;

  std::vector<int64_t> dims() const;
};

struct SafeTensorsHeader {
  std::vector<TensorEntry> tensors;  // in the order of their data
  std::vector<std::pair<std::string_view, std::string_view>> metadata;
  size_t data_begin = 0;  // in the file

  // The tensor of that name, or nullptr.
  const TensorEntry* find(std::string_view name) const;

  std::vector<uint32_t> by_name;      // indices of `tensors`, sorted by name
  std::deque<std::string> unescaped;  // what strings with escapes are views of
};

// Parses and checks the header of the file whose bytes are `file`, which must outlive the result. `name` is what
// errors call the file. Throws FormatError.
SafeTensorsHeader parse_safetensors_header(std::string_view file, const std::string& name);
// The same, of a file of `file_size` bytes of which only the beginning is at hand: its first 8 bytes, and, if they
// claim a header that may be read, all of that too. header_claim() says how much that is.
SafeTensorsHeader parse_safetensors_header(std::string_view beginning, uint64_t file_size, const std::string& name);
// The bytes that a file beginning with these 8 has to give to the parser.
uint64_t header_claim(std::string_view first8, uint64_t file_size);

// `text` as errors show it: in quotes, escaped, and cut after 80 bytes.
std::string in_quotes(std::string_view text);

}  // namespace heed::io
