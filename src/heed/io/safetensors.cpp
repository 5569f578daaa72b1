#include "heed/io/safetensors.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/json.h"
#include "heed/base/utf8.h"
#include "heed/io/output_file.h"
#include "heed/io/safetensors_header.h"

namespace heed::io {
namespace fs = std::filesystem;

struct SafeTensors::File {
  explicit File(const fs::path& from)
      : path(from),
        file(from),
        beginning(read_beginning(file)),
        header(parse_safetensors_header(beginning, file.size(), path.string())),
        map(from) {
    check<FormatError>(map.size() >= file.size(), "{}: became shorter while it was being opened", path.string());
  }

  static std::string read_beginning(const ReadableFile& file) {
    std::string bytes(std::min<size_t>(file.size(), sizeof(uint64_t)), '\0');
    file.read_at(0, std::as_writable_bytes(std::span(bytes)));
    bytes.resize(header_claim(bytes, file.size()));
    file.read_at(0, std::as_writable_bytes(std::span(bytes)));
    return bytes;
  }

  const TensorEntry& entry(std::string_view name) const {
    const TensorEntry* found = header.find(name);
    if (!found) fail<FormatError>("{}: has no tensor {}", path.string(), in_quotes(name));
    return *found;
  }

  std::span<const std::byte> bytes(const TensorEntry& entry) const {
    file.check_not_cut();
    return map.bytes().subspan(header.data_begin + entry.begin, entry.end - entry.begin);
  }

  // The same bytes at an address that the element type can be read from.
  std::byte* aligned_copy(uint64_t begin, std::span<const std::byte> data) const {
    const std::lock_guard lock(mutex);
    auto& copy = copies[begin];
    if (copy.empty()) copy.assign(data.begin(), data.end());
    return copy.data();
  }

  fs::path path;
  ReadableFile file;
  std::string beginning;  // what `header` looks at
  SafeTensorsHeader header;
  MappedFile map;
  mutable std::mutex mutex;
  mutable std::unordered_map<uint64_t, std::vector<std::byte>> copies;  // of unaligned tensors, by their begin
};

SafeTensors SafeTensors::open(const fs::path& file) { return SafeTensors(std::make_shared<const File>(file)); }

const fs::path& SafeTensors::path() const { return file_->path; }

size_t SafeTensors::size() const { return file_->header.tensors.size(); }

std::vector<std::string> SafeTensors::names() const {
  std::vector<std::string> names;
  for (const TensorEntry& entry : file_->header.tensors) names.emplace_back(entry.name);
  return names;
}

bool SafeTensors::contains(std::string_view name) const { return file_->header.find(name) != nullptr; }

std::map<std::string, std::string> SafeTensors::metadata() const {
  return {file_->header.metadata.begin(), file_->header.metadata.end()};
}

TensorInfo SafeTensors::info(std::string_view name) const {
  const TensorEntry& entry = file_->entry(name);
  return {std::string(entry.dtype->name), entry.dims(), entry.end - entry.begin};
}

std::span<const std::byte> SafeTensors::bytes(std::string_view name) const { return file_->bytes(file_->entry(name)); }

void SafeTensors::read(std::string_view name, uint64_t begin, std::span<std::byte> out) const {
  const TensorEntry& entry = file_->entry(name);
  const uint64_t size = entry.end - entry.begin;
  if (begin > size || out.size() > size - begin)
    fail<FormatError>("{}: tensor {} has no bytes {} to {}", file_->path.string(), in_quotes(name), begin,
                      begin + out.size());
  file_->file.read_at(file_->header.data_begin + entry.begin + begin, out);
}

TensorView SafeTensors::place(std::string_view name) const {
  const TensorEntry& entry = file_->entry(name);
  if (!entry.dtype->held)
    fail<FormatError>("{}: tensor {} is of {}, which Heed does not hold", file_->path.string(), in_quotes(name),
                      entry.dtype->name);
  const std::vector<int64_t> dims = entry.dims();
  if (dims.size() > Shape::kMaxRank)
    fail<FormatError>("{}: tensor {} has {} dimensions; Heed holds at most {}", file_->path.string(), in_quotes(name),
                      dims.size(), Shape::kMaxRank);
  const Shape shape(dims);
  // A view of weights is only read from; TensorView has no const twin.
  return {const_cast<std::byte*>(file_->bytes(entry).data()), *entry.dtype->held, shape, shape.cols()};
}

TensorView SafeTensors::view(std::string_view name) const {
  TensorView view = place(name);
  const bool aligned = reinterpret_cast<uintptr_t>(view.data) % size_of(view.dtype) == 0;
  if (!aligned && view.shape.numel() > 0) view.data = file_->aligned_copy(file_->entry(name).begin, bytes(name));
  return view;
}

namespace {

// The place of an element type in the format's order.
size_t file_dtype_of(DType dtype) {
  const auto& all = file_dtypes();
  for (size_t i = all.size(); i-- > 0;)  // from the end: u8 is U8, which comes after BOOL
    if (all[i].held == dtype) return i;
  fail<DTypeError>("{} has no place in a safetensors file", name_of(dtype));
}

void sort_for_file(std::vector<NamedView>& tensors) {
  std::ranges::sort(tensors, [](const NamedView& a, const NamedView& b) {
    const size_t x = file_dtype_of(a.file_dtype()), y = file_dtype_of(b.file_dtype());
    return x != y ? x > y : a.name < b.name;
  });
  std::vector<std::string_view> names;
  names.reserve(tensors.size());
  for (const NamedView& t : tensors) names.push_back(t.name);
  std::ranges::sort(names);
  const auto twice = std::ranges::adjacent_find(names);
  if (twice != names.end()) fail<FormatError>("two tensors to be written are named {}", in_quotes(*twice));
}

bool is_real(DType dtype) { return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16; }

std::string json_string(const std::string& text) {
  if (!is_valid_utf8(text)) fail<FormatError>("{} is not valid UTF-8", in_quotes(text));
  return Json(text).dump();
}

std::string header_of(const std::vector<NamedView>& tensors, const std::map<std::string, std::string>& metadata) {
  std::string json = "{";
  const auto member = [&](const std::string& key) {
    json += fmt::format("{}{}:", json.size() > 1 ? "," : "", json_string(key));
  };
  if (!metadata.empty()) {
    member("__metadata__");
    char separator = '{';
    for (const auto& [key, value] : metadata) {
      json += fmt::format("{}{}:{}", separator, json_string(key), json_string(value));
      separator = ',';
    }
    json += "}";
  }
  uint64_t begin = 0;
  for (const NamedView& tensor : tensors) {
    const auto& [name, view, as, memory] = tensor;
    check<FormatError>(name != "__metadata__", "a tensor cannot be named \"__metadata__\"");
    if (as && *as != view.dtype && !(is_real(*as) && is_real(view.dtype)))
      fail<DTypeError>("tensor {} of {} cannot be written as {}", in_quotes(name), name_of(view.dtype), name_of(*as));
    if (!view.data && view.shape.numel() > 0) fail<FormatError>("tensor {} to be written is empty", in_quotes(name));
    member(name);
    const uint64_t end = begin + tensor.file_bytes();
    json += fmt::format(R"({{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                        file_dtypes()[file_dtype_of(tensor.file_dtype())].name, fmt::join(view.shape.dims(), ","),
                        begin, end);
    begin = end;
  }
  json += "}";
  json.append((8 - json.size() % 8) % 8, ' ');
  check<FormatError>(json.size() <= kMaxHeaderBytes, "a safetensors header of {} bytes; at most {} are allowed",
                     json.size(), kMaxHeaderBytes);
  return json;
}

float real_at(const std::byte* data, DType dtype) {
  const auto read = [&](auto value) {
    std::memcpy(&value, data, sizeof value);
    return static_cast<float>(value);
  };
  return dtype == DType::kF32 ? read(float{}) : dtype == DType::kBF16 ? read(BFloat16{}) : read(Float16{});
}

void put_real(float x, DType dtype, std::byte* to) {
  const auto put = [&](auto value) { std::memcpy(to, &value, sizeof value); };
  if (dtype == DType::kF32) put(x);
  else if (dtype == DType::kBF16) put(BFloat16(x));
  else put(Float16(x));
}

// The elements of `view` as another type, a row's block at a time. (Not by the backend: this file needs only core.)
void write_converted(OutputFile& out, const TensorView& view, DType as) {
  constexpr int64_t kBlock = 1 << 16;
  const size_t from = size_of(view.dtype), to = size_of(as);
  std::vector<std::byte> block(kBlock * to);
  const int64_t rows = view.contiguous() ? 1 : view.rows(),
                count = view.contiguous() ? view.shape.numel() : view.cols();
  for (int64_t r = 0; r < rows; ++r) {
    const std::byte* row = static_cast<const std::byte*>(view.data) + static_cast<size_t>(r * view.row_stride) * from;
    for (int64_t begin = 0; begin < count; begin += kBlock) {
      const auto n = static_cast<size_t>(std::min(kBlock, count - begin));
      for (size_t i = 0; i < n; ++i)
        put_real(real_at(row + (static_cast<size_t>(begin) + i) * from, view.dtype), as, block.data() + i * to);
      out.write(std::span(block).first(n * to));
    }
  }
}

void write_data(OutputFile& out, const NamedView& tensor) {
  const TensorView& view = tensor.view;
  if (view.shape.numel() == 0) return;
  if (tensor.file_dtype() != view.dtype) return write_converted(out, view, tensor.file_dtype());
  const auto* data = static_cast<const std::byte*>(view.data);
  if (view.contiguous()) return out.write(std::span(data, tensor.file_bytes()));
  const size_t element = size_of(view.dtype);
  for (int64_t r = 0; r < view.rows(); ++r)
    out.write(std::span(data + static_cast<size_t>(r * view.row_stride) * element,
                        static_cast<size_t>(view.cols()) * element));
}

}  // namespace

WrittenFile write_safetensors(const fs::path& file, std::vector<NamedView> tensors,
                              const std::map<std::string, std::string>& metadata) {
  sort_for_file(tensors);
  const std::string header = header_of(tensors, metadata);
  OutputFile out(file);
  const uint64_t length = header.size();
  out.write(std::as_bytes(std::span(&length, 1)));
  out.write(header);
  for (const NamedView& tensor : tensors) write_data(out, tensor);
  out.commit();
  return {out.size(), out.xxh64()};
}

uint64_t safetensors_bytes(std::vector<NamedView> tensors, const std::map<std::string, std::string>& metadata) {
  sort_for_file(tensors);
  uint64_t bytes = sizeof(uint64_t) + header_of(tensors, metadata).size();
  for (const NamedView& tensor : tensors) bytes += tensor.file_bytes();
  return bytes;
}

}  // namespace heed::io
