// DistilBERT (Sanh et al. 2019) as transformers' DistilBertModel stores it, alone or with a head: half of a BERT's
// layers, no token types, no pooler.
#pragma once

#include "heed/models/interface.h"

namespace heed::models {

// See make_model().
std::unique_ptr<Model> make_distilbert(const Json& config, const std::string& file, std::optional<uint64_t> seed);

}  // namespace heed::models
