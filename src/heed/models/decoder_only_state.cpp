#include "heed/models/decoder_only_state.h"

namespace heed::models {
namespace {

// The prompts without their last tokens.
Ragged heads_of(const Ragged& prompts) {
  Ragged heads;
  for (int i = 0; i < prompts.rows(); ++i) {
    const auto row = prompts.row(i);
    check<UsageError>(!row.empty(), "prompt {} is empty", i);
    heads.append(row.first(row.size() - 1));
  }
  return heads;
}

}  // namespace

DecoderOnlyState::DecoderOnlyState(const DecoderOnly& model, const Ragged& prompts)
    : model_(model), caches_(static_cast<size_t>(model.layers())), table_(prompts.rows(), model.device()) {
  const NoGrad no_grad;
  const Ragged heads = heads_of(prompts);
  table_ = nn::KeyTable::with_prompts(heads.offsets, model.device());
  cached_rows_ = heads.tokens();
  if (heads.ids.empty()) return;
  const ops::TokenRowsPtr rows = ops::token_rows(heads);
  const ops::SegmentsPtr segments = ops::segments(*rows, *rows);
  std::vector<int32_t> lengths;
  for (int i = 0; i < prompts.rows(); ++i) lengths.insert(lengths.end(), heads.row(i).size(), prompts.length(i));
  model.run(Tensor::from(heads.ids, {heads.tokens()}), rows, lengths, {},
            [&](int layer, const nn::SelfAttention& attention, const Tensor& x, const ops::Rotation& rotation) {
              return attention.prefill(x, segments, caches_[static_cast<size_t>(layer)], rotation);
            });
}

Tensor DecoderOnlyState::step(const Tensor& tokens) {
  const NoGrad no_grad;
  check<ShapeError>(tokens.numel() == rows(), "{} tokens for {} hypotheses", tokens.numel(), rows());
  auto at = std::make_shared<ops::TokenRows>();
  at->position.assign(table_.lengths().begin(), table_.lengths().end());
  at->example.assign(at->position.size(), 0);
  std::vector<int32_t> lengths = at->position;
  for (int32_t& length : lengths) ++length;
  table_.append(cached_rows_);
  cached_rows_ += rows();
  const Tensor x =
      model_.run(tokens, at, lengths, {},
                 [&](int layer, const nn::SelfAttention& attention, const Tensor& h, const ops::Rotation& rotation) {
                   return attention.step(h, caches_[static_cast<size_t>(layer)], table_, rotation);
                 });
  return ops::linear(x, model_.output_);  // [rows, vocab]
}

void DecoderOnlyState::select(std::span<const int32_t> parents) {
  for (const int32_t parent : parents)
    check<ShapeError>(parent >= 0 && parent < rows(), "hypothesis {} of {}", parent, rows());
  table_.select(parents);
}

}  // namespace heed::models
