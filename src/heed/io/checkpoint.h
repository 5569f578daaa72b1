// Training checkpoints: complete or not there.
//
//   checkpoints/step-000123/state.json            what is no tensor: step, schedule, counters, data position, …
//                           NAME.safetensors      one file per group of tensors (model, optimizer, …)
//                           manifest.json         written last: size and XXH64 of each other file, step and score
//
// A folder is written aside under a hidden name, every file synced, and renamed once, so that a crash leaves the old
// state or the new one. What happens to a folder later (a torn disk, a half copy) shows against its manifest, and
// reading falls back to the newest folder that is whole. XXH64, not SHA-256: it reads at the speed of memory, and
// damage, not forgery, is what is looked for. One process writes a folder of checkpoints at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "heed/base/json.h"
#include "heed/io/safetensors.h"

namespace heed::io {

// Collects what a checkpoint holds, then writes it in one go.
class CheckpointWriter {
 public:
  // For `checkpoints`/step-<step>, step >= 0. Nothing is touched before write().
  CheckpointWriter(std::filesystem::path checkpoints, int64_t step);

  // A group of tensors, to be read back under `name` (letters, digits, '-' and '_'). Their memory is read by write().
  void add(std::string name, std::vector<NamedView> tensors);
  void set_state(Json state) { state_ = std::move(state); }
  // How good the model is at this point, higher being better; for prune_checkpoints. one that is not finite counts as
  // none.
  void set_score(double score) { score_ = score; }

  // Writes the folder, replacing one of the same step, and returns its path. Throws IoError, before anything is written
  // if the disk has too little room; what was there before is then untouched and nothing is left behind.
  std::filesystem::path write() const;

 private:
  void fill(const std::filesystem::path& folder) const;

  std::filesystem::path checkpoints_;
  int64_t step_;
  std::map<std::string, std::vector<NamedView>> groups_;
  Json state_ = Json::object();
  std::optional<double> score_;
};

// A complete checkpoint. Immutable: many threads may read one.
class CheckpointReader {
 public:
  // Reads every byte once, to compare it with the manifest. Throws FormatError that says what is missing or damaged.
  static CheckpointReader open(const std::filesystem::path& folder);

  const std::filesystem::path& path() const { return path_; }
  int64_t step() const { return step_; }
  std::optional<double> score() const { return score_; }
  const Json& state() const { return state_; }
  std::vector<std::string> groups() const;
  // FormatError if there is no such group.
  const SafeTensors& tensors(const std::string& group) const;

 private:
  std::filesystem::path path_;
  int64_t step_ = 0;
  std::optional<double> score_;
  Json state_;
  std::map<std::string, SafeTensors> groups_;
};

// The newest complete checkpoint below `checkpoints`; nothing if there is none. Newer ones that are not complete are
// passed over with a warning in the log, and an interrupted replacement is repaired.
std::optional<CheckpointReader> latest_checkpoint(const std::filesystem::path& checkpoints);

// Deletes all checkpoints but the newest `keep_last` and the `keep_best` of the highest score (ties: the newer). The
// newest one that proves whole when read is kept besides, and if there is none nothing is deleted.
void prune_checkpoints(const std::filesystem::path& checkpoints, int keep_last, int keep_best);

}  // namespace heed::io
