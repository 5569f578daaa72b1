// Marian translation models (Junczys-Dowmunt et al. 2018) as transformers' MarianMTModel stores them: the
// encoder-decoder of encoder_decoder.h with norms after the sublayers and sinusoids in halves. What that format cannot
// say (norms before the sublayers, learned positions) is stored the same way under model_type "heed-transformer".
#pragma once

#include "heed/models/encoder_decoder.h"

namespace heed::models {

class MarianModel final : public EncoderDecoder {
 public:
  // A new model with parameters drawn from `seed`.
  MarianModel(const EncoderDecoderConfig& structure, uint64_t seed);
  // What a config.json says.
  MarianModel(const EncoderDecoderConfig& structure, Json config, std::optional<uint64_t> seed);
};

// See make_model().
std::unique_ptr<Model> make_marian(const Json& config, const std::string& file, std::optional<uint64_t> seed);

}  // namespace heed::models
