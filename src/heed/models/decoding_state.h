// Decoding with an encoder-decoder: one token per hypothesis and step, over cached keys and values. All families share
// it; the family's own part is one step of its decoder stack.
//
// The self-attention caches grow by one row per hypothesis and step; a table says whose is which, so that reordering,
// multiplying and dropping hypotheses copies only indices. Cross-attention's keys and values are computed once per
// source.
#pragma once

#include <functional>

#include "heed/models/interface.h"
#include "heed/nn/attention.h"

namespace heed::models {

class Seq2SeqState final : public DecodingState {
 public:
  // The decoder stack for one token per hypothesis: its logits [rows, vocab]. It uses self_attention() and
  // cross_attention(); `at` holds the tokens' positions.
  using Step = std::function<Tensor(Seq2SeqState& state, const Tensor& tokens, const ops::TokenRowsPtr& at)>;

  // cross: per decoder layer, the keys and values of all source tokens. The model must outlive the state.
  Seq2SeqState(const Ragged& sources, std::vector<Tensor> cross, int max_length, Step step);

  int rows() const override { return table_.rows(); }
  int64_t length() const override { return table_.length(); }
  Device device() const override { return cross_.front().device(); }
  Tensor step(const Tensor& tokens) override;
  void select(std::span<const int32_t> parents) override;
  void select(const Tensor& parents) override { table_.select(parents); }
  void truncate(int64_t length) override { table_.truncate(length); }

  // --- for the step: x [rows, model] -> [rows, model] in decoder layer `layer`
  Tensor self_attention(const nn::SelfAttention& attention, const Tensor& x, size_t layer, const Tensor& bias = {});
  Tensor cross_attention(const nn::CrossAttention& attention, const Tensor& x, size_t layer) const;

 private:
  const Step step_;
  const int max_length_;
  std::vector<Tensor> cross_;              // per layer: [source tokens, 2 * kv_heads * head_dim]
  std::vector<nn::KeyValueCache> caches_;  // per layer
  nn::KeyTable table_;
  int64_t cached_rows_ = 0;
  nn::KeyTable sources_;            // where each hypothesis' source tokens lie
  std::vector<int32_t> source_of_;  // [rows]
};

// The decoder's inputs in teacher forcing: each row one to the right, `start` in front, its last token gone.
std::vector<int32_t> shift_right(const Ragged& target, int32_t start);

}  // namespace heed::models
