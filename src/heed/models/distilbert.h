// DistilBERT (Sanh et al. 2019) as transformers' DistilBertModel stores it, alone or with a head: half of a BERT's
// layers, no token types, no pooler.
#pragma once

#include "heed/models/interface.h"
#include "heed/models/new_model.h"

namespace heed::models {

// See make_model() and new_config().
std::unique_ptr<Model> make_distilbert(const Json& config, const std::string& file, std::optional<uint64_t> seed);
Json new_distilbert(const NewModel& wanted);

}  // namespace heed::models
