// Decoding with the encoder-decoder: one token per hypothesis and step, over cached keys and values.
//
// The self-attention caches grow by one row per hypothesis and step; a table says whose is which, so that reordering,
// multiplying and dropping hypotheses copies only indices. Cross-attention's keys and values are computed once per
// source.
#pragma once

#include "heed/models/encoder_decoder.h"

namespace heed::models {

class EncoderDecoderState final : public DecodingState {
 public:
  EncoderDecoderState(const EncoderDecoder& model, const Ragged& sources);

  int rows() const override { return table_.rows(); }
  int64_t length() const override { return table_.length(); }
  Tensor step(std::span<const int32_t> tokens) override;
  void select(std::span<const int32_t> parents) override;
  void truncate(int64_t length) override { table_.truncate(length); }

 private:
  void rebuild_source_slots();

  const EncoderDecoder& model_;
  std::vector<Tensor> cross_;              // per layer: [source tokens, 2 * model]
  std::vector<nn::KeyValueCache> caches_;  // per layer
  nn::KeyTable table_;
  int64_t cached_rows_ = 0;
  std::vector<int32_t> source_offsets_;
  std::vector<int32_t> source_of_;  // [rows]
  // Where each hypothesis' source tokens lie: [rows, longest source].
  std::vector<int32_t> source_slots_, source_lengths_;
  int64_t source_stride_ = 0;
};

}  // namespace heed::models
