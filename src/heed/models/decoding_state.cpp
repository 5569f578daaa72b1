#include "heed/models/decoding_state.h"

#include <algorithm>
#include <numeric>

namespace heed::models {

EncoderDecoderState::EncoderDecoderState(const EncoderDecoder& model, const Ragged& sources)
    : model_(model), caches_(model.decoder_.size()), table_(sources.rows()), source_offsets_(sources.offsets) {
  const NoGrad no_grad;
  const Tensor encoded = model.encode(sources, ops::token_rows(sources), {});
  for (const DecoderLayer& layer : model.decoder_) cross_.push_back(layer.cross_attention.keys_values(encoded));
  source_of_.resize(static_cast<size_t>(sources.rows()));
  std::iota(source_of_.begin(), source_of_.end(), 0);
  rebuild_source_slots();
}

void EncoderDecoderState::rebuild_source_slots() {
  source_lengths_.clear();
  for (const int32_t s : source_of_)
    source_lengths_.push_back(source_offsets_[static_cast<size_t>(s) + 1] - source_offsets_[static_cast<size_t>(s)]);
  source_stride_ = source_of_.empty() ? 0 : *std::max_element(source_lengths_.begin(), source_lengths_.end());
  source_slots_.assign(source_of_.size() * static_cast<size_t>(source_stride_), 0);
  for (size_t r = 0; r < source_of_.size(); ++r) {
    auto row = source_slots_.begin() + static_cast<int64_t>(r) * source_stride_;
    std::iota(row, row + source_lengths_[r], source_offsets_[static_cast<size_t>(source_of_[r])]);
  }
}

Tensor EncoderDecoderState::step(std::span<const int32_t> tokens) {
  const NoGrad no_grad;
  check<ShapeError>(static_cast<int>(tokens.size()) == rows(), "{} tokens for {} hypotheses", tokens.size(), rows());
  check<ShapeError>(length() < model_.max_length(), "a target longer than the model's {} positions",
                    model_.max_length());
  auto at = std::make_shared<ops::TokenRows>();
  at->position.assign(tokens.size(), static_cast<int32_t>(length()));
  at->example.assign(tokens.size(), 0);
  const nn::Pass pass;
  Tensor x = model_.embed({tokens.begin(), tokens.end()}, model_.target_embedding_, model_.target_positions_,
                          model_.target_site_, at, pass);  // [rows, model]
  table_.append(cached_rows_);
  cached_rows_ += rows();
  for (size_t i = 0; i < caches_.size(); ++i) {
    const DecoderLayer& layer = model_.decoder_[i];
    x = layer.self_residual(x, pass, at,
                            [&](const Tensor& h) { return layer.self_attention.step(h, caches_[i], table_); });
    x = layer.cross_residual(x, pass, at, [&](const Tensor& h) {
      return layer.cross_attention.step(h, cross_[i], source_slots_, source_stride_, source_lengths_);
    });
    x = layer.ffn_residual(x, pass, at, [&](const Tensor& h) { return layer.ffn(h, pass, at); });
  }
  if (model_.structure_.pre_norm) x = ops::add_norm(x, {}, {}, model_.decoder_norm_).y;
  return ops::linear(x, model_.output_, model_.output_bias_);  // [rows, vocab]
}

void EncoderDecoderState::select(std::span<const int32_t> parents) {
  std::vector<int32_t> source_of;
  for (const int32_t parent : parents) {
    check<ShapeError>(parent >= 0 && parent < rows(), "hypothesis {} of {}", parent, rows());
    source_of.push_back(source_of_[static_cast<size_t>(parent)]);
  }
  table_.select(parents);
  if (source_of == source_of_) return;
  source_of_ = std::move(source_of);
  rebuild_source_slots();
}

}  // namespace heed::models
