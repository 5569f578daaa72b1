// RoBERTa (Liu et al. 2019) as transformers' RobertaModel stores it, alone with its pooler or with a head. Its
// positions begin behind the padding token's id, and a padding token takes the position of that number.
#pragma once

#include "heed/models/interface.h"
#include "heed/models/new_model.h"

namespace heed::models {

// See make_model() and new_config().
std::unique_ptr<Model> make_roberta(const Json& config, const std::string& file, std::optional<uint64_t> seed);
Json new_roberta(const NewModel& wanted);

}  // namespace heed::models
