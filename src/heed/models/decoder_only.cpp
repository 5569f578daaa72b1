#include "heed/models/decoder_only.h"

#include "heed/models/decoder_only_state.h"

namespace heed::models {
namespace {

Tensor tensor_of(std::span<const int32_t> ids) { return Tensor::from(ids, {static_cast<int64_t>(ids.size())}); }

void note(const nn::Pass& pass, const Tensor& x) {
  if (pass.trace) pass.trace->decoder_states.push_back(x);
}

std::vector<int32_t> lengths_of(const Ragged& batch) {
  std::vector<int32_t> lengths;
  lengths.reserve(batch.ids.size());
  for (int i = 0; i < batch.rows(); ++i) lengths.insert(lengths.end(), batch.row(i).size(), batch.length(i));
  return lengths;
}

}  // namespace

Tensor DecoderOnly::run(const Tensor& ids, const ops::TokenRowsPtr& rows, std::span<const int32_t> lengths,
                        const nn::Pass& pass, const Attend& attend) const {
  for (const int32_t length : lengths)
    check<ShapeError>(length <= max_length_, "a sequence of {} tokens, where the model has {} positions", length,
                      max_length_);
  const ops::Rotation rotation = rotary_ ? rotary_->at(rows->position, lengths) : ops::Rotation{};
  Tensor x = embed(ids, rows, pass);  // [tokens, model]
  for (int i = 0; i < layers(); ++i) {
    note(pass, x);
    x = nn::layer(pass, {x}, [this, i, pass, rows, attend, rotation](const std::vector<Tensor>& in) {
      return block(i, in[0], {pass, rows, [&](const nn::SelfAttention& attention, const Tensor& h) {
                                return attend(i, attention, h, rotation);
                              }});
    });
  }
  x = norm_(x);
  note(pass, x);
  return x;
}

Tensor DecoderOnly::run_batch(const TextBatch& batch, const nn::Pass& pass) const {
  check<UsageError>(batch.types.empty() && batch.visible.empty(),
                    "a decoder alone takes neither token types nor padding");
  const ops::TokenRowsPtr rows = ops::token_rows(batch.ids, batch.examples);
  const ops::SegmentsPtr segments = ops::segments(*rows, *rows);
  if (pass.trace) pass.trace->decoder_attentions.resize(static_cast<size_t>(layers()));
  return run(
      tensor_of(batch.ids.ids), rows, lengths_of(batch.ids), pass,
      [pass, segments](int layer, const nn::SelfAttention& attention, const Tensor& x, const ops::Rotation& rotation) {
        auto* probabilities = pass.trace ? &pass.trace->decoder_attentions[static_cast<size_t>(layer)] : nullptr;
        return attention(x, pass, segments, probabilities, rotation);
      });
}

ops::CrossEntropyResult DecoderOnly::loss(const TextBatch& batch, std::span<const int32_t> targets,
                                          const LossOptions& options) const {
  check<ShapeError>(targets.size() == batch.ids.ids.size(), "{} targets for {} tokens", targets.size(),
                    batch.ids.ids.size());
  return ops::linear_cross_entropy(run_batch(batch, options.pass), output_, {}, tensor_of(targets),
                                   options.label_smoothing, options.divisor);
}

Tensor DecoderOnly::logits(const TextBatch& batch, const nn::Pass& pass) const {
  return ops::linear(run_batch(batch, pass), output_);  // [tokens, vocab]
}

std::unique_ptr<DecodingState> DecoderOnly::start(const Ragged& prompts) const {
  return std::make_unique<DecoderOnlyState>(*this, prompts);
}

std::vector<int32_t> DecoderOnly::first_tokens(const Ragged& prompts) const {
  std::vector<int32_t> first;
  for (int i = 0; i < prompts.rows(); ++i) {
    check<UsageError>(prompts.length(i) > 0, "prompt {} is empty", i);
    first.push_back(prompts.row(i).back());
  }
  return first;
}

}  // namespace heed::models
