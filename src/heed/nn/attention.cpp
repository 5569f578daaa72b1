#include "heed/nn/attention.h"

#include <algorithm>
#include <cmath>

#include "heed/tensor/backends.h"

namespace heed::nn {
namespace {

AttentionParams params_of(const AttentionConfig& config, bool causal) {
  check<ConfigError>(config.heads > 0 && config.model % config.heads == 0, "d_model {} is not a multiple of {} heads",
                     config.model, config.heads);
  const int head_dim = static_cast<int>(config.model) / config.heads;
  return {config.heads, config.heads, head_dim, 1.0f / std::sqrt(static_cast<float>(head_dim)), causal, {}};
}

AttentionParams with_dropout(AttentionParams params, const Pass& pass, float rate, uint32_t site) {
  if (pass.training) params.dropout = {rate, pass.dropout_key, site, nullptr, nullptr};
  return params;
}

void collect(const Tensor& q, const Tensor& k, const ops::SegmentsPtr& segments, const AttentionParams& params,
             std::vector<Tensor>* probabilities) {
  if (!probabilities) return;
  for (const Segment& s : *segments)
    for (int head = 0; head < params.heads; ++head) {
      probabilities->push_back(Tensor::empty({s.q_len, s.k_len}));
      backend(q.device()).attention_probabilities(q.view(), k.view(), s, head, params, probabilities->back().view());
    }
}

}  // namespace

int64_t KeyValueCache::append(const Tensor& keys_values) {
  const int64_t rows = keys_values.dim(0), capacity = rows_.defined() ? rows_.dim(0) : 0;
  Backend& on = backend(keys_values.device());
  if (used_ + rows > capacity) {
    const Tensor grown = Tensor::empty({std::max(2 * capacity, 8 * rows), keys_values.dim(1)});
    if (used_ > 0) on.copy(rows_.slice_rows(0, used_).view(), grown.slice_rows(0, used_).view());
    rows_ = grown;
  }
  on.copy(keys_values.view(), rows_.slice_rows(used_, rows).view());
  used_ += rows;
  return used_ - rows;
}

TensorView KeyValueCache::keys() const { return rows_.slice_columns(0, rows_.dim(1) / 2).view(); }
TensorView KeyValueCache::values() const { return rows_.slice_columns(rows_.dim(1) / 2, rows_.dim(1) / 2).view(); }

void KeyTable::set_length(int64_t length) {
  length_ = length;
  lengths_.assign(static_cast<size_t>(rows_), static_cast<int32_t>(length));
}

void KeyTable::append(int64_t first) {
  if (length_ == stride_) {
    const int64_t stride = std::max<int64_t>(2 * stride_, 32);
    std::vector<int32_t> wider(static_cast<size_t>(rows_ * stride));
    for (int64_t r = 0; r < rows_; ++r) std::copy_n(slots_.begin() + r * stride_, length_, wider.begin() + r * stride);
    slots_ = std::move(wider);
    stride_ = stride;
  }
  for (int64_t r = 0; r < rows_; ++r)
    slots_[static_cast<size_t>(r * stride_ + length_)] = static_cast<int32_t>(first + r);
  set_length(length_ + 1);
}

void KeyTable::select(std::span<const int32_t> parents) {
  std::vector<int32_t> slots(parents.size() * static_cast<size_t>(stride_));
  for (size_t i = 0; i < parents.size(); ++i)
    std::copy_n(slots_.begin() + parents[i] * stride_, length_, slots.begin() + static_cast<int64_t>(i) * stride_);
  slots_ = std::move(slots);
  rows_ = static_cast<int>(parents.size());
  set_length(length_);
}

void KeyTable::truncate(int64_t length) { set_length(std::min(length, length_)); }

SelfAttention::SelfAttention(Builder& b, const std::string& name, const AttentionConfig& config, bool causal)
    : qkv_(b, {name + ".q_proj", name + ".k_proj", name + ".v_proj"}, config.model, 3 * config.model),
      out_(b, {name + ".out_proj"}, config.model, config.model),
      params_(params_of(config, causal)),
      dropout_(config.dropout),
      site_(b.take_sites(config.heads)) {}

Tensor SelfAttention::operator()(const Tensor& x, const Pass& pass, const ops::SegmentsPtr& segments,
                                 std::vector<Tensor>* probabilities) const {
  const int64_t model = x.shape().cols();
  const Tensor qkv = qkv_(x);  // [tokens, 3 * model]
  const Tensor q = qkv.slice_columns(0, model), k = qkv.slice_columns(model, model);
  collect(q, k, segments, params_, probabilities);
  return out_(ops::attention(q, k, qkv.slice_columns(2 * model, model), segments,
                             with_dropout(params_, pass, dropout_, site_)));
}

Tensor SelfAttention::step(const Tensor& x, KeyValueCache& cache, const KeyTable& table) const {
  const int64_t model = x.shape().cols();
  const Tensor qkv = qkv_(x);
  cache.append(qkv.slice_columns(model, 2 * model));
  const Tensor y = Tensor::empty(x.shape());
  backend(x.device())
      .attention_cached(qkv.slice_columns(0, model).view(), cache.keys(), cache.values(), table.slots(), table.stride(),
                        table.lengths(), params_, y.view());
  return out_(y);
}

CrossAttention::CrossAttention(Builder& b, const std::string& name, const AttentionConfig& config)
    : q_(b, {name + ".q_proj"}, config.model, config.model),
      kv_(b, {name + ".k_proj", name + ".v_proj"}, config.model, 2 * config.model),
      out_(b, {name + ".out_proj"}, config.model, config.model),
      params_(params_of(config, false)),
      dropout_(config.dropout),
      site_(b.take_sites(config.heads)) {}

Tensor CrossAttention::operator()(const Tensor& x, const Tensor& encoded, const Pass& pass,
                                  const ops::SegmentsPtr& segments, std::vector<Tensor>* probabilities) const {
  const int64_t model = x.shape().cols();
  const Tensor q = q_(x), kv = kv_(encoded);  // [target tokens, model], [source tokens, 2 * model]
  const Tensor k = kv.slice_columns(0, model);
  collect(q, k, segments, params_, probabilities);
  return out_(
      ops::attention(q, k, kv.slice_columns(model, model), segments, with_dropout(params_, pass, dropout_, site_)));
}

Tensor CrossAttention::step(const Tensor& x, const Tensor& keys_values, std::span<const int32_t> slots, int64_t stride,
                            std::span<const int32_t> lengths) const {
  const int64_t model = x.shape().cols();
  const Tensor q = q_(x), y = Tensor::empty(x.shape());
  backend(x.device())
      .attention_cached(q.view(), keys_values.slice_columns(0, model).view(),
                        keys_values.slice_columns(model, model).view(), slots, stride, lengths, params_, y.view());
  return out_(y);
}

}  // namespace heed::nn
