#include "heed/models/decoding_state.h"

#include <numeric>

namespace heed::models {

Seq2SeqState::Seq2SeqState(const Ragged& sources, std::vector<Tensor> cross, int max_length, Step step)
    : step_(std::move(step)),
      max_length_(max_length),
      cross_(std::move(cross)),
      caches_(cross_.size()),
      table_(sources.rows(), cross_.at(0).device()),
      sources_(nn::KeyTable::with_prompts(sources.offsets, cross_.at(0).device())) {
  source_of_.resize(static_cast<size_t>(sources.rows()));
  std::iota(source_of_.begin(), source_of_.end(), 0);
}

Tensor Seq2SeqState::step(const Tensor& tokens) {
  const NoGrad no_grad;
  check<ShapeError>(tokens.numel() == rows(), "{} tokens for {} hypotheses", tokens.numel(), rows());
  check<ShapeError>(length() < max_length_, "a target longer than the model's {} positions", max_length_);
  auto at = std::make_shared<ops::TokenRows>();
  at->position.assign(static_cast<size_t>(rows()), static_cast<int32_t>(length()));
  at->example.assign(static_cast<size_t>(rows()), 0);
  table_.append(cached_rows_);
  cached_rows_ += rows();
  return step_(*this, tokens, at);
}

Tensor Seq2SeqState::self_attention(const nn::SelfAttention& attention, const Tensor& x, size_t layer,
                                    const Tensor& bias) {
  return attention.step(x, caches_[layer], table_, bias);
}

Tensor Seq2SeqState::cross_attention(const nn::CrossAttention& attention, const Tensor& x, size_t layer) const {
  return attention.step(x, cross_[layer], sources_);
}

void Seq2SeqState::select(std::span<const int32_t> parents) {
  std::vector<int32_t> source_of;
  for (const int32_t parent : parents) {
    check<ShapeError>(parent >= 0 && parent < rows(), "hypothesis {} of {}", parent, rows());
    source_of.push_back(source_of_[static_cast<size_t>(parent)]);
  }
  table_.select(parents);
  if (source_of == source_of_) return;
  source_of_ = std::move(source_of);
  sources_.select(parents);
}

std::vector<int32_t> shift_right(const Ragged& target, int32_t start) {
  std::vector<int32_t> ids(target.ids.size());
  for (int i = 0; i < target.rows(); ++i) {
    const auto row = target.row(i);
    if (row.empty()) continue;
    auto to = ids.begin() + target.offsets[static_cast<size_t>(i)];
    *to = start;
    std::copy(row.begin(), row.end() - 1, to + 1);
  }
  return ids;
}

}  // namespace heed::models
