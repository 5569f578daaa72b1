// metrics.jsonl: one JSON object a line, appended as a training goes on. A record is one write(), so that whoever reads
// along, or a killed process, leaves at most a torn last line, which reopening removes.
//
// A disk that is full must not end a training: the first failed write is a warning in the log. One thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>

#include "heed/base/json.h"

namespace heed::train {

class MetricsLog {
 public:
  // Opens `file` for appending. Records there already stay if their "step" is at most `last_step`: those behind it are
  // of a run that was interrupted and will be written again.
  MetricsLog(std::filesystem::path file, int64_t last_step);
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;
  ~MetricsLog();

  void write(const Json& record);

 private:
  void warn_once(int code);

  std::filesystem::path file_;
  int fd_ = -1;
  bool warned_ = false;
};

}  // namespace heed::train
