// What models made of a decoder alone have in common: a stack of blocks over packed sequences, each token seeing those
// before it, a last norm, and a product with the vocabulary.
//
// A family derives from it and says how tokens are embedded and what a block is; which tokens a block's attention sees
// (whole sequences, prompts whose keys are kept, one new token over kept keys) is decided here. Concurrent calls of
// const members are safe.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "heed/models/interface.h"
#include "heed/nn/attention.h"
#include "heed/nn/rotary.h"

namespace heed::models {

// What a block needs beside its input.
struct BlockPass {
  const nn::Pass& pass;
  const ops::TokenRowsPtr& rows;
  // The block's self-attention over its normed input.
  std::function<Tensor(const nn::SelfAttention& attention, const Tensor& x)> attend;
};

class DecoderOnly : public CausalModel {
 public:
  nn::ParameterStore& parameters() override { return store_; }
  const nn::ParameterStore& parameters() const override { return store_; }
  int vocab_size() const override { return static_cast<int>(output_.out_features()); }
  int max_length() const override { return static_cast<int>(max_length_); }

  ops::CrossEntropyResult loss(const TextBatch& batch, std::span<const int32_t> targets,
                               const LossOptions& options) const override;
  Tensor logits(const TextBatch& batch, const nn::Pass& pass) const override;
  std::unique_ptr<DecodingState> start(const Ragged& prompts) const override;
  std::vector<int32_t> first_tokens(const Ragged& prompts) const override;

 protected:
  using CausalModel::CausalModel;

  virtual int layers() const = 0;
  // [tokens] -> [tokens, model]
  virtual Tensor embed(const Tensor& ids, const ops::TokenRowsPtr& rows, const nn::Pass& pass) const = 0;
  // Block i: [tokens, model] -> [tokens, model]
  virtual Tensor block(int i, const Tensor& x, const BlockPass& p) const = 0;

  // Set by the family's constructor.
  nn::ParameterStore store_;
  nn::Norm norm_;                     // behind the last block
  ops::Weight output_;                // [vocab, model]
  std::optional<nn::Rotary> rotary_;  // where positions are told by turning queries and keys
  int64_t max_length_ = 0;            // tokens that a sequence may have

 private:
  friend class DecoderOnlyState;
  using Attend = std::function<Tensor(int layer, const nn::SelfAttention& attention, const Tensor& x,
                                      const ops::Rotation& rotation)>;

  Device device() const { return output_.device(); }
  // The stack. `lengths`: of the sequence that each token belongs to (see nn::Rotary::at).
  Tensor run(const Tensor& ids, const ops::TokenRowsPtr& rows, std::span<const int32_t> lengths, const nn::Pass& pass,
             const Attend& attend) const;
  Tensor run_batch(const TextBatch& batch, const nn::Pass& pass) const;
};

}  // namespace heed::models
