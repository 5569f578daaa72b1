// A text encoder (or whatever gives tokens their vectors, see text_body.h) with what stands on top of it: nothing, a
// pooler, or one of the heads of interface.h.
//
// All heads are one line of steps, some of which a family leaves out:
//   [the token that stands for each row] -> dropout -> dense and activation -> norm -> dropout -> logits
// const members are thread-safe.
#pragma once

#include <functional>

#include "heed/models/classification.h"
#include "heed/models/text_body.h"

namespace heed::models {

struct HeadConfig {
  Head kind = Head::kNone;
  Classification classes{};     // of a classification head
  float dropout_before = 0;     // before the dense layer
  std::string dense{}, norm{};  // names; empty: there is no such step
  Activation activation = Activation::kNone;
  float epsilon = 1e-12f;   // of the norm
  bool is_pooler = false;   // what the dense layer gives for a row's first token is the row's vector
  float dropout_after = 0;  // before the logits
  std::string output{};     // name of the map to the logits; empty without a head
  bool tied = false;        // masked LM: its weight is the table of word embeddings
  std::string bias{};       // masked LM: name of the bias, where it is not that of `output`
  std::vector<std::pair<std::string, Shape>> unused{};  // parameters that a folder holds and nothing here depends on
};

class EncoderWithHead : public EncoderModel {
 public:
  using MakeBody = std::function<std::unique_ptr<TextBody>(nn::Builder& b)>;
  // New parameters drawn from `seed`, or, without one, left to be loaded.
  EncoderWithHead(const MakeBody& body, HeadConfig head, WeightRules rules, Json json, std::optional<uint64_t> seed);

  nn::ParameterStore& parameters() override { return store_; }
  const nn::ParameterStore& parameters() const override { return store_; }
  WeightRules weight_rules() const override { return rules_; }
  Head head() const override { return head_.kind; }
  Problem problem() const override { return head_.classes.problem; }
  const std::vector<std::string>& labels() const override { return head_.classes.labels; }
  int max_length() const override { return body_->max_length(); }
  int vocab_size() const override { return static_cast<int>(body_->words().out_features()); }

  Tensor hidden(const TextBatch& batch, const nn::Pass& pass) const override;
  Tensor pooled(const Tensor& hidden, const TextBatch& batch) const override;
  Tensor logits(const TextBatch& batch, const nn::Pass& pass) const override;
  HeadLoss loss(const TextBatch& batch, const Targets& targets, const LossOptions& options) const override;

 private:
  void make_head(nn::Builder& b);
  Tensor run_body(const TextBatch& batch, const ops::TokenRowsPtr& rows, const nn::Pass& pass) const;
  Tensor before_logits(const Tensor& x, const ops::TokenRowsPtr& rows, const nn::Pass& pass) const;
  // The body and all steps but the last; for a head of whole rows from the tokens that stand for them.
  Tensor features(const TextBatch& batch, const nn::Pass& pass) const;
  HeadLoss masked_lm_loss(const TextBatch& batch, const Targets& targets, const LossOptions& options) const;

  HeadConfig head_;
  WeightRules rules_;
  nn::ParameterStore store_;
  std::unique_ptr<TextBody> body_;
  nn::Linear dense_, output_;
  nn::Norm norm_;
  uint32_t before_site_ = 0, after_site_ = 0;
};

}  // namespace heed::models
