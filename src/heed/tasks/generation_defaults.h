// The decoding options that a model's folder asks for: its generation_config.json, as Hugging Face's `generate` reads
// it, and the tasks that its config.json gives parameters for ("task_specific_params").
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "heed/decode/options.h"
#include "heed/models/interface.h"

namespace heed::tasks {

// What a folder says of a task, such as "summarization" or "translation_en_to_de".
struct TaskParameters {
  std::string name;
  std::string prefix;  // stands before every input ("summarize: ")
  Json generation;     // goes before generation_config.json
};

// All tasks that a config.json has parameters for, in its order. Throws ConfigError if they are no objects.
std::vector<TaskParameters> task_parameters(const Json& config);

// The task of this name. Throws UsageError listing the names that there are.
TaskParameters find_task(const Json& config, const std::string& name);

// As transformers does: the keys of generation_config.json, or of config.json where there is no such file. Without a
// length the decoder's positions are used up, at most kDefaultLength where it has no limit. A key whose effect Heed
// does not have is a ConfigError unless its value means nothing.
inline constexpr int kDefaultLength = 512;
decode::Options generation_defaults(const models::Model& model, const models::Generator& generator,
                                    const Json& overrides = Json::object());
template <class M>
decode::Options generation_defaults(const M& model, const Json& overrides = Json::object()) {
  return generation_defaults(model, model, overrides);
}

}  // namespace heed::tasks
