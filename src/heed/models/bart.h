// BART (Lewis et al. 2020) as transformers stores it: the encoder-decoder of encoder_decoder.h with learned positions,
// a norm behind the embedding, and GELU. As BartForConditionalGeneration it writes texts; with a head (sequence
// classification, question answering) or none, encoder and decoder read the same text (sections 3.1 and 3.2).
#pragma once

#include "heed/models/interface.h"
#include "heed/models/new_model.h"

namespace heed::models {

// See make_model() and new_config().
std::unique_ptr<Model> make_bart(const Json& config, const std::string& file, std::optional<uint64_t> seed);
Json new_bart(const NewModel& wanted);

}  // namespace heed::models
