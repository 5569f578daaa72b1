// OutputFile: a file that is written in one pass and put in place at the end, whole or not at all.
//
// The bytes go to a temporary name in the same folder; commit() syncs it, renames it over the target, and syncs the
// folder. Whoever has the old file open or mapped keeps the old one. Without commit() the temporary is deleted and the
// target is as it was. Every failure is an IoError with the path and the system's reason. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "heed/io/xxh64.h"

namespace heed::io {

class OutputFile {
 public:
  explicit OutputFile(const std::filesystem::path& target);
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  // Puts the file in place; nothing may be written after.
  void commit();

  // Of what has been written so far.
  uint64_t size() const { return size_; }
  uint64_t xxh64() const { return hash_.digest(); }

 private:
  void flush();
  void put(std::span<const std::byte> bytes);
  void discard() noexcept;

  std::filesystem::path target_, temporary_;
  int fd_ = -1;
  std::vector<std::byte> buffer_;
  uint64_t size_ = 0;
  Xxh64 hash_;
};

}  // namespace heed::io
