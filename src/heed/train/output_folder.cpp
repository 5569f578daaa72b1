#include "heed/train/output_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "heed/base/error.h"
#include "heed/base/files.h"

namespace heed::train {
namespace fs = std::filesystem;
namespace {

constexpr const char* kMarker = "training.json";
constexpr const char* kWeights = "model.safetensors";

bool has_content(const fs::path& folder) {
  std::error_code error;
  return fs::exists(folder, error) && !(fs::is_directory(folder, error) && fs::is_empty(folder, error));
}

std::string shown(const Json& object, const std::string& key) {
  return object.contains(key) ? object[key].dump() : "nothing";
}

}  // namespace

OutputFolder::OutputFolder(fs::path folder, bool resume, bool writes) : path_(std::move(folder)) {
  check<UsageError>(!path_.empty(), "no output folder was given");
  // "model/" has an empty file name, which could not be written beside itself.
  if (!path_.has_filename()) path_ = path_.parent_path();
  if (!writes) return;
  recover_folder(path_);
  if (!has_content(path_)) return;
  check<UsageError>(resume, "{} exists already: give another --output, or --resume to go on with its training",
                    path_.string());
  check<UsageError>(fs::is_regular_file(path_ / kMarker),
                    "{} was not written by a training (it has no {}): give another --output", path_.string(), kMarker);
  lock();
}

OutputFolder::~OutputFolder() {
  if (lock_ >= 0) ::close(lock_);
}

void OutputFolder::lock() {
  lock_ = ::open((path_ / kMarker).c_str(), O_RDONLY | O_CLOEXEC);
  if (lock_ < 0) return;  // a file system that forbids it; the lock is a help, not a need
  check<UsageError>(::flock(lock_, LOCK_EX | LOCK_NB) == 0, "{}: another process is training into this folder",
                    path_.string());
}

std::optional<io::CheckpointReader> OutputFolder::latest() const {
  if (!fs::is_directory(checkpoints())) return std::nullopt;
  return io::latest_checkpoint(checkpoints());
}

bool OutputFolder::is_resumable(const fs::path& folder) {
  return fs::is_regular_file(folder / kMarker) && fs::is_directory(folder / "checkpoints") &&
         io::latest_checkpoint(folder / "checkpoints").has_value();
}

Json OutputFolder::options_of(const fs::path& folder) { return read_json(folder / kMarker); }

void OutputFolder::begin(const io::ModelContent& content, const Json& identity) {
  io::ModelContent all = content;
  all.add_files = [&](const fs::path& folder) {
    if (content.add_files) content.add_files(folder);
    write_json(folder / kMarker, identity);
  };
  // Only an empty folder, or one that a training wrote, comes this far, so it may be replaced as a whole.
  if (lock_ >= 0) ::close(lock_);
  lock_ = -1;
  if (path_.has_parent_path()) fs::create_directories(path_.parent_path());
  io::write_model_folder(path_, all);
  lock();
}

void OutputFolder::go_on(const Json& identity) {
  const Json before = options_of(path_);
  std::string differences;
  const auto compare = [&](const std::string& key) {
    if (before.contains(key) && identity.contains(key) && before[key] == identity[key]) return;
    differences += fmt::format("{}--{} ({} at the beginning, {} now)", differences.empty() ? "" : ", ", key,
                               shown(before, key), shown(identity, key));
  };
  for (const auto& [key, value] : identity.items()) compare(key);
  for (const auto& [key, value] : before.items())
    if (!identity.contains(key)) compare(key);
  check<UsageError>(differences.empty(), "{} cannot be resumed with other options: {}", path_.string(), differences);
}

void OutputFolder::replace_weights(const io::ModelContent& content) const {
  io::write_safetensors(path_ / kWeights, content.tensors);
  if (content.add_weights) content.add_weights(path_);
}

}  // namespace heed::train
