#include "heed/train/metrics_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/log.h"

namespace heed::train {
namespace {

// Whether the line is a whole record of a step up to `last_step`.
bool stays(std::string_view line, int64_t last_step) {
  const Json record = Json::parse(line, nullptr, false);
  if (!record.is_object() || !record.contains("step") || !record["step"].is_number_integer()) return false;
  return record["step"].get<int64_t>() <= last_step;
}

std::string kept_records(const std::string& text, int64_t last_step) {
  std::string kept;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    if (end == std::string::npos) break;  // torn
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    if (stays(line, last_step)) kept.append(line).push_back('\n');
    begin = end + 1;
  }
  return kept;
}

}  // namespace

MetricsLog::MetricsLog(std::filesystem::path file, int64_t last_step) : file_(std::move(file)) {
  try {
    if (std::filesystem::is_regular_file(file_)) {
      const std::string before = read_file(file_), kept = kept_records(before, last_step);
      if (kept != before) write_file_atomically(file_, kept);
    }
  } catch (const IoError& error) {
    log().warn("the records of {} could not be tidied: {}", file_.string(), error.what());
  }
  fd_ = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd_ < 0) warn_once(errno);
}

MetricsLog::~MetricsLog() {
  if (fd_ >= 0) ::close(fd_);
}

void MetricsLog::write(const Json& record) {
  if (fd_ < 0) return;
  const std::string line = record.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  const ssize_t written = ::write(fd_, line.data(), line.size());
  if (written != static_cast<ssize_t>(line.size())) warn_once(written < 0 ? errno : ENOSPC);
}

void MetricsLog::warn_once(int code) {
  if (warned_) return;
  warned_ = true;
  log().error("{}: cannot be written ({}); the training goes on without it", file_.string(), errno_text(code));
}

}  // namespace heed::train
