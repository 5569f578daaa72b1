// BART (Lewis et al. 2020): the encoder-decoder of encoder_decoder.h with learned positions, a norm behind the
// embedding, and GELU, as transformers' BartForConditionalGeneration stores it.
#pragma once

#include "heed/models/encoder_decoder.h"
#include "heed/models/new_model.h"

namespace heed::models {

class BartModel final : public EncoderDecoder {
 public:
  BartModel(const EncoderDecoderConfig& structure, Json config, std::optional<uint64_t> seed);
  WeightRules weight_rules() const override;
};

// See make_model() and new_config().
std::unique_ptr<Model> make_bart(const Json& config, const std::string& file, std::optional<uint64_t> seed);
Json new_bart(const NewModel& wanted);

}  // namespace heed::models
