// Event files that TensorBoard shows: scalars over the steps of a training run.
//
// An event file is a sequence of records: length (u64), masked CRC32C of those 8 bytes, the data, masked CRC32C of the
// data, all little-endian (TensorFlow's TFRecord). The data is one tensorflow.Event in protobuf's wire format; the
// first states the version "brain.Event:2". Each record is one write to the file's end, nothing is buffered, and one
// that fails is cut off again: whatever happens, a reader sees whole records. Not thread-safe: one writer, one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>

namespace heed {

struct Scalar {
  std::string_view tag;  // "train/loss": what stands before the slash groups charts
  double value;          // stored as float
};

class TensorBoardWriter {
 public:
  // Creates events.out.tfevents.SECONDS.HOST in `folder`, which is created too; files that exist are never touched, a
  // name in use gets a number at its end. A run resumed from a checkpoint names the first step that it repeats, and
  // TensorBoard forgets what earlier files say from that step on. Throws IoError.
  explicit TensorBoardWriter(const std::filesystem::path& folder, std::optional<int64_t> first_repeated_step = {});
  TensorBoardWriter(const TensorBoardWriter&) = delete;
  TensorBoardWriter& operator=(const TensorBoardWriter&) = delete;
  ~TensorBoardWriter();

  // Writes the scalars of a step as one record, dated `wall_time` (seconds since 1970) or now. Throws IoError; the
  // writer can be used further.
  void write(int64_t step, std::span<const Scalar> scalars, std::optional<double> wall_time = {});

  const std::filesystem::path& file() const { return file_; }

 private:
  void append_record(std::string_view data);

  std::filesystem::path file_;
  int fd_ = -1;
  int64_t end_ = 0;  // bytes of whole records
};

}  // namespace heed
