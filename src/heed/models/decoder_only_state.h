// Decoding with a decoder alone: the prompts in one packed pass, then one token per hypothesis and step over the kept
// keys and values.
//
// Prompts may differ in length: each hypothesis has its own positions, so a prompt's continuation is what it would be
// alone. Hypotheses of one prompt share its keys and values; reordering, multiplying and dropping copies only indices.
#pragma once

#include "heed/models/decoder_only.h"

namespace heed::models {

class DecoderOnlyState final : public DecodingState {
 public:
  // Reads all but the last token of each prompt.
  DecoderOnlyState(const DecoderOnly& model, const Ragged& prompts);

  int rows() const override { return table_.rows(); }
  int64_t length() const override { return table_.length(); }
  Device device() const override { return model_.device(); }
  Tensor step(const Tensor& tokens) override;
  void select(std::span<const int32_t> parents) override;
  void select(const Tensor& parents) override { table_.select(parents); }
  void truncate(int64_t length) override { table_.truncate(length); }

 private:
  const DecoderOnly& model_;
  std::vector<nn::KeyValueCache> caches_;  // per layer
  nn::KeyTable table_;
  int64_t cached_rows_ = 0;
};

}  // namespace heed::models
