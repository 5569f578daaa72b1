// Files: whole reads, memory maps, and writes that leave either the old file or the new one, never a part.
//
// A write goes to a temporary name in the same folder, is synced, renamed over the target, and the folder is synced.
// All functions throw IoError with the path and the system's reason.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace heed {

// The whole file.
std::string read_file(const std::filesystem::path& file);

// Replaces `file` by `content` atomically.
void write_file_atomically(const std::filesystem::path& file, std::string_view content);

// Writes what a user asked for by name: as write_file_atomically, but into what a link leads to, and into a device or a
// pipe as it comes. check_output says beforehand whether its folder is there.
void write_output(const std::filesystem::path& file, std::string_view content);
void check_output(const std::filesystem::path& file);

// Replaces the folder `target` by what `fill` writes into a fresh folder beside it: all files are synced, then one
// rename. If a folder `target` exists, it is moved aside first and deleted last; `recover_folder` undoes an
// interruption between the two renames. If `fill` throws, nothing is left behind and `target` is untouched.
void write_folder_atomically(const std::filesystem::path& target,
                             const std::function<void(const std::filesystem::path& folder)>& fill);

// Puts back the former `target` if a write_folder_atomically was interrupted between its two renames, and deletes
// unfinished leftovers. Call before reading a folder that may have been interrupted.
void recover_folder(const std::filesystem::path& target);

// Syncs the file's (or folder's) content to the disk.
void sync_path(const std::filesystem::path& path);

// An open file that is read at any place, by one or many threads. What another process does to the file meanwhile shows
// as an error of read_at, never as a signal. Movable.
class ReadableFile {
 public:
  ReadableFile() = default;
  explicit ReadableFile(const std::filesystem::path& file);
  ReadableFile(ReadableFile&& other) noexcept;
  ReadableFile& operator=(ReadableFile&& other) noexcept;
  ReadableFile(const ReadableFile&) = delete;
  ReadableFile& operator=(const ReadableFile&) = delete;
  ~ReadableFile();

  size_t size() const { return size_; }  // when it was opened
  // Fills `out` from byte `offset` on. Throws IoError if the file ends before, too.
  void read_at(uint64_t offset, std::span<std::byte> out) const;
  // Throws IoError if the file has become shorter than it was.
  void check_not_cut() const;

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  size_t size_ = 0;
};

// A read-only memory map of a whole file: reading it after another process cut the file short ends this one by SIGBUS;
// ReadableFile does not have that. Movable.
class MappedFile {
 public:
  MappedFile() = default;
  explicit MappedFile(const std::filesystem::path& file);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(data_), size_}; }
  std::string_view text() const { return {static_cast<const char*>(data_), size_}; }
  size_t size() const { return size_; }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace heed
