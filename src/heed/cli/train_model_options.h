// The options that say what model a task begins with: a new one of a family and its size, or one from a folder.
#pragma once

#include <optional>
#include <string>

#include "heed/cli/command.h"
#include "heed/cli/tuning_options.h"
#include "heed/tasks/model_start.h"

namespace heed::cli {

class ModelOptions {
 public:
  // `defaults`: the sizes that hold if nothing is given.
  explicit ModelOptions(models::Kind kind, models::NewModel defaults = {})
      : kind_(kind), families_(models::families_of(kind)), structure_(std::move(defaults)) {}

  // Adds the options to the command. The object must outlive command.parse(). `positions`: the name of the option that
  // says how many tokens a text may have; `positions_default`: what help says of its default, if not the family's.
  void add_to(Command& command, const std::string& positions = "positions", const std::string& positions_default = "");
  // Before resolve(): the tokens that a text may have, unless the user said.
  void use_positions(int tokens) {
    if (!structure_.positions) structure_.positions = tokens;
  }
  tasks::ModelStart resolve(Command& command, const std::filesystem::path& resume) const;

  bool is_fine_tuning() const { return !init_.empty(); }
  int64_t d_model() const { return structure_.d_model; }

 private:
  void refuse_with_init(Command& command) const;
  void refuse_with_tokenizer(Command& command, const tasks::TokenizerChoice& choice) const;

  models::Kind kind_;
  std::vector<std::string> families_;
  models::NewModel structure_;
  std::filesystem::path init_;
  std::string family_, positions_name_, tokenizer_;
  TuningOptions tuning_;
  std::optional<uint64_t> vocab_size_;
  bool lowercase_ = true;
};

}  // namespace heed::cli
