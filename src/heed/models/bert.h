// BERT (Devlin et al. 2019) as transformers' BertModel stores it, alone with its pooler or with a head: masked language
// model (that of BertForPreTraining too), sequence and token classification, question answering.
#pragma once

#include "heed/models/interface.h"
#include "heed/models/new_model.h"

namespace heed::models {

// See make_model() and new_config().
std::unique_ptr<Model> make_bert(const Json& config, const std::string& file, std::optional<uint64_t> seed);
Json new_bert(const NewModel& wanted);

}  // namespace heed::models
