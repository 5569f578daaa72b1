// safetensors files: memory-mapped or read, and written atomically (the format: safetensors_header.h).
//
// A view copies nothing: it is the file's own memory, read-only, and lives as long as any copy of its SafeTensors.
// read() copies into the caller's memory. A file that is replaced while open (by rename, as all writers here do) stays
// readable as it was. A file that another process cuts short in place while it is open: open() and read() throw, at
// whatever moment it happens; a view throws if it is asked for afterwards, but one that is already held must not be
// touched any more (SIGBUS). That is why weights are loaded by read().
// A SafeTensors is immutable: many threads may read one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "heed/core/tensor_view.h"

namespace heed::io {

// What a file says of a tensor, whether or not Heed can hold it.
struct TensorInfo {
  std::string dtype;  // the format's name, "F32", "F8_E4M3", …
  std::vector<int64_t> shape;
  uint64_t bytes = 0;
};

class SafeTensors {
 public:
  // Maps the file and checks all of its header. Throws IoError, and FormatError with the reason if it is malformed.
  static SafeTensors open(const std::filesystem::path& file);

  const std::filesystem::path& path() const;
  size_t size() const;                     // how many tensors
  std::vector<std::string> names() const;  // in the order of their data
  bool contains(std::string_view name) const;
  std::map<std::string, std::string> metadata() const;

  // These throw FormatError if there is no tensor of that name.
  TensorInfo info(std::string_view name) const;
  std::span<const std::byte> bytes(std::string_view name) const;
  // Copies out.size() bytes of the tensor's data from byte `begin` of it on. Throws IoError.
  void read(std::string_view name, uint64_t begin, std::span<std::byte> out) const;
  // The tensor where it lies (BOOL as u8). Throws FormatError naming the tensor if Heed has no such element type or the
  // shape has more than Shape::kMaxRank dimensions. Some writers left data unaligned for their type: the address is
  // good for memcpy only.
  TensorView place(std::string_view name) const;
  // The same, aligned: where the file is not, the first call makes a copy that lives as long as the file.
  TensorView view(std::string_view name) const;

 private:
  struct File;
  explicit SafeTensors(std::shared_ptr<const File> file) : file_(std::move(file)) {}

  std::shared_ptr<const File> file_;
};

// A tensor to be written: host memory of f32, f16, bf16, i64, i32, i8 or u8; it need not be contiguous.
struct NamedView {
  std::string name;
  TensorView view;
  std::optional<DType> as = {};  // the type in the file, if another: f32, f16 and bf16 convert (to nearest even)
  std::shared_ptr<const void> memory = {};  // what the view looks at, where nothing else keeps it

  DType file_dtype() const { return as.value_or(view.dtype); }
  uint64_t file_bytes() const { return static_cast<uint64_t>(view.shape.numel()) * size_of(file_dtype()); }
};

// What has been written.
struct WrittenFile {
  uint64_t bytes = 0;
  uint64_t xxh64 = 0;
};

// Replaces `file` atomically (see output_file.h), also where it is open or mapped. The bytes are a function of the
// tensors and the metadata alone: tensors by element type and then name as the reference writer orders them, the header
// padded with spaces to 8 bytes, so that all data are aligned. The data are streamed, never held twice. transformers
// refuses files without a "format" in their metadata. Throws IoError, after which the old file stands, and FormatError
// if two tensors have one name or a name is not valid UTF-8.
WrittenFile write_safetensors(const std::filesystem::path& file, std::vector<NamedView> tensors,
                              const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

// The size of that file.
uint64_t safetensors_bytes(std::vector<NamedView> tensors,
                           const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

}  // namespace heed::io
