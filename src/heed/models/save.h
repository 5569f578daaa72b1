// Writing a model as the Hugging Face folder that it came from, or could have come from.
//
// Tensors go under transformers' present names; of tied matrices one copy is written, as transformers writes it. Keys
// of config.json that mean nothing to Heed are written back. The bytes are a function of the model and the options
// alone.
#pragma once

#include <filesystem>
#include <optional>

#include "heed/io/model_folder.h"
#include "heed/models/interface.h"

namespace heed::models {

struct SaveOptions {
  // Of all tensors in the files: f32, bf16 or f16. Not given: each tensor's type in the folder that the model comes
  // from, f32 where there is none.
  std::optional<DType> dtype;
  uint64_t max_shard_bytes = io::kMaxShardBytes;
};

// The names of files that tell how text and images become inputs, as transformers has them.
std::vector<std::string> input_files();

// What write_model_folder() writes. `source` is the folder that the model was loaded from, or nullptr; its tokenizer
// and preprocessor files are copied byte for byte. Both must outlive the result.
io::ModelContent content_of(const Model& model, const io::ModelFolder* source, const SaveOptions& options = {});

}  // namespace heed::models
