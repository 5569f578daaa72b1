// Marian translation models (Junczys-Dowmunt et al. 2018) as transformers' MarianMTModel stores them: the
// encoder-decoder of encoder_decoder.h with norms after the sublayers and sinusoids in halves. What that format cannot
// say (norms before the sublayers, learned positions) is stored the same way under model_type "heed-transformer".
#pragma once

#include "heed/io/model_folder.h"
#include "heed/models/encoder_decoder.h"

namespace heed::models {

class MarianModel final : public EncoderDecoder {
 public:
  // A new model with parameters drawn from `seed`.
  MarianModel(const EncoderDecoderConfig& structure, uint64_t seed);
  // What config.json says; keys that mean nothing here are kept for config(). Throws ConfigError naming file and key.
  static std::unique_ptr<MarianModel> load(const io::ModelFolder& folder);

  Json config() const override { return config_; }
  Json generation_config() const override { return generation_config_; }

 private:
  MarianModel(const EncoderDecoderConfig& structure, Json config, Json generation_config);

  Json config_, generation_config_;
};

}  // namespace heed::models
