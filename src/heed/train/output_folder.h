// The folder that a training writes: a model folder that is ready for use at every instant, and beside the model
//
//   training.json         what the training must be resumed with, by option; marks the folder as a training's
//   checkpoints/          see io/checkpoint.h
//   snapshots/            see snapshots.h
//   metrics.jsonl         see metrics_log.h
//   tensorboard/          event files, see base/tensorboard.h
//
// The folder appears at once with the model as it is before the first step. Its configuration and tokenizer never
// change after that; the weights are replaced by a rename. One process at a time trains into a folder, which a lock on
// training.json ensures.
#pragma once

#include <filesystem>
#include <optional>

#include "heed/base/json.h"
#include "heed/io/checkpoint.h"
#include "heed/io/model_folder.h"

namespace heed::train {

class OutputFolder {
 public:
  // Throws UsageError unless a training may begin there: the folder is not there or is empty, or, with `resume`, was
  // written by a training.
  // `writes` is false for a process that trains together with the one that writes: it only reads, and checks nothing.
  OutputFolder(std::filesystem::path folder, bool resume, bool writes = true);
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;
  ~OutputFolder();

  // The newest whole checkpoint; nothing where none is.
  std::optional<io::CheckpointReader> latest() const;

  // What the training in a resumable folder must be resumed with, by option.
  static Json options_of(const std::filesystem::path& folder);

  // Begins anew: writes the folder. What an earlier training left in it is deleted.
  void begin(const io::ModelContent& content, const Json& identity);
  // Goes on. Throws UsageError naming the options whose values differ from those that the training began with.
  void go_on(const Json& identity);

  void replace_weights(const io::ModelContent& content) const;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
  std::filesystem::path snapshots() const { return path_ / "snapshots"; }
  std::filesystem::path metrics() const { return path_ / "metrics.jsonl"; }
  std::filesystem::path tensorboard() const { return path_ / "tensorboard"; }

  // Whether `folder` was written by a training that can be resumed (it has a whole checkpoint).
  static bool is_resumable(const std::filesystem::path& folder);

 private:
  void lock();

  std::filesystem::path path_;
  int lock_ = -1;
};

}  // namespace heed::train
