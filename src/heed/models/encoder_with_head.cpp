#include "heed/models/encoder_with_head.h"

#include "heed/nn/initialization.h"

namespace heed::models {
namespace {

// Rows of x [rows, model] -> [indices, model].
Tensor gather(const Tensor& x, const std::vector<int32_t>& indices) {
  auto rows = std::make_shared<ops::TokenRows>();
  rows->position.resize(indices.size());
  rows->example.resize(indices.size());
  return ops::embedding(Tensor::from(indices, {static_cast<int64_t>(indices.size())}), x, 1, rows, {}, {});
}

// One row for each text, by its example.
ops::TokenRowsPtr text_rows(const TextBatch& batch) {
  auto rows = std::make_shared<ops::TokenRows>();
  for (int i = 0; i < batch.ids.rows(); ++i) {
    rows->position.push_back(0);
    rows->example.push_back(batch.examples.empty() ? static_cast<uint32_t>(i) : batch.examples[static_cast<size_t>(i)]);
  }
  return rows;
}

int64_t output_size(const HeadConfig& head, int64_t vocab) {
  switch (head.kind) {
    case Head::kMaskedLM: return vocab;
    case Head::kQuestionAnswering: return 2;
    default: return static_cast<int64_t>(head.classes.labels.size());
  }
}

}  // namespace

EncoderWithHead::EncoderWithHead(const MakeBody& body, HeadConfig head, WeightRules rules, Json json,
                                 std::optional<uint64_t> seed)
    : EncoderModel(std::move(json)), head_(std::move(head)), rules_(std::move(rules)) {
  nn::Builder b(store_, seed);
  body_ = body(b);
  make_head(b);
  for (const auto& [name, shape] : head_.unused) nn::constant(store_.create({name}, shape), 0, b);
  store_.flatten();
}

void EncoderWithHead::make_head(nn::Builder& b) {
  const int64_t vocab = body_->words().out_features(), model = body_->words().in_features();
  before_site_ = b.take_sites(1);
  after_site_ = b.take_sites(1);
  if (!head_.dense.empty()) dense_ = nn::Linear(b, {head_.dense}, model, model);
  if (!head_.norm.empty()) norm_ = nn::Norm(b, head_.norm, model, head_.epsilon);
  if (head_.output.empty()) return;
  const int64_t size = output_size(head_, vocab);
  if (!head_.tied) {
    output_ = nn::Linear(b, {head_.output}, model, size);
    return;
  }
  output_.weight = body_->words();
  store_.add_output(output_.weight, true);
  output_.bias = b.store.create({head_.bias.empty() ? head_.output + ".bias" : head_.bias}, {size});
  nn::constant(output_.bias, 0, b);
}

Tensor EncoderWithHead::run_body(const TextBatch& batch, const ops::TokenRowsPtr& rows, const nn::Pass& pass) const {
  check_batch(*body_, batch);
  return (*body_)(batch, rows, pass);  // [tokens, model]
}

Tensor EncoderWithHead::hidden(const TextBatch& batch, const nn::Pass& pass) const {
  return run_body(batch, ops::token_rows(batch.ids, batch.examples), pass);
}

Tensor EncoderWithHead::pooled(const Tensor& hidden, const TextBatch& batch) const {
  if (!head_.is_pooler) return {};
  return dense_(gather(hidden, body_->whole(batch)), head_.activation);  // [rows, model]
}

Tensor EncoderWithHead::before_logits(const Tensor& x, const ops::TokenRowsPtr& rows, const nn::Pass& pass) const {
  Tensor y = ops::dropout(x, pass.dropout(head_.dropout_before, before_site_, rows));
  if (!head_.dense.empty()) y = dense_(y, head_.activation);
  if (!head_.norm.empty()) y = norm_(y);
  return ops::dropout(y, pass.dropout(head_.dropout_after, after_site_, rows));
}

Tensor EncoderWithHead::features(const TextBatch& batch, const nn::Pass& pass) const {
  check<UsageError>(head_.kind != Head::kNone, "this encoder has no head");
  const ops::TokenRowsPtr rows = ops::token_rows(batch.ids, batch.examples);
  const Tensor x = run_body(batch, rows, pass);
  if (head_.kind != Head::kSequenceClassification) return before_logits(x, rows, pass);
  return before_logits(gather(x, body_->whole(batch)), text_rows(batch), pass);  // [rows, model]
}

Tensor EncoderWithHead::logits(const TextBatch& batch, const nn::Pass& pass) const {
  return output_(features(batch, pass));
}

// The vocabulary's product is by far the largest of the head, so only tokens with a target take part.
HeadLoss EncoderWithHead::masked_lm_loss(const TextBatch& batch, const Targets& targets,
                                         const LossOptions& options) const {
  check<UsageError>(targets.classes.size() == batch.ids.ids.size(), "{} targets for {} tokens", targets.classes.size(),
                    batch.ids.ids.size());
  std::vector<int32_t> places, classes;
  for (size_t i = 0; i < targets.classes.size(); ++i) {
    if (targets.classes[i] < 0) continue;
    places.push_back(static_cast<int32_t>(i));
    classes.push_back(targets.classes[i]);
  }
  const ops::TokenRowsPtr rows = ops::token_rows(batch.ids, batch.examples);
  auto chosen = std::make_shared<ops::TokenRows>();
  for (const int32_t place : places) {
    chosen->position.push_back(rows->position[static_cast<size_t>(place)]);
    chosen->example.push_back(rows->example[static_cast<size_t>(place)]);
  }
  const Tensor x = gather(run_body(batch, rows, options.pass), places);  // [targets, model]
  const auto count = static_cast<int64_t>(classes.size());
  const auto result =
      ops::linear_cross_entropy(before_logits(x, chosen, options.pass), output_.weight, output_.bias,
                                Tensor::from(classes, {count}), options.label_smoothing, options.divisor);
  return {result.loss, result.loss_sum, count};
}

HeadLoss EncoderWithHead::loss(const TextBatch& batch, const Targets& targets, const LossOptions& options) const {
  if (head_.kind == Head::kMaskedLM) return masked_lm_loss(batch, targets, options);
  const Tensor z = logits(batch, options.pass);
  if (head_.kind != Head::kQuestionAnswering) return classification_loss(head_.classes.problem, z, targets, options);
  check<UsageError>(options.label_smoothing == 0, "label smoothing does not go with question answering");
  const auto result = ops::span_cross_entropy(z, batch.ids.offsets, targets.begins, targets.ends, options.divisor);
  return {result.loss, result.loss_sum, result.targets};
}

}  // namespace heed::models
