// The table of model families: which code reads a folder, by the model_type of its config.json.
#pragma once

#include <memory>

#include "heed/io/model_folder.h"
#include "heed/models/interface.h"

namespace heed::models {

// The encoder-decoder in `folder`. Throws ConfigError if its model_type is none that Heed knows, and whatever the
// family's loader throws.
std::unique_ptr<Seq2SeqModel> load_seq2seq(const io::ModelFolder& folder);

}  // namespace heed::models
