#include "heed/nn/attention.h"

#include <algorithm>
#include <cmath>

#include "heed/tensor/backends.h"

namespace heed::nn {
namespace {

AttentionParams params_of(const AttentionConfig& c, bool causal) {
  check<ConfigError>(c.heads > 0 && (c.head_dim > 0 || c.model % c.heads == 0),
                     "d_model {} is not a multiple of {} heads", c.model, c.heads);
  AttentionParams p;
  p.heads = c.heads;
  p.kv_heads = c.kv_heads > 0 ? c.kv_heads : c.heads;
  p.head_dim = c.head_dim > 0 ? c.head_dim : static_cast<int>(c.model) / c.heads;
  p.scale = c.scale > 0 ? c.scale : 1.0f / std::sqrt(static_cast<float>(p.head_dim));
  p.causal = causal;
  check<ConfigError>(p.heads % p.kv_heads == 0, "{} attention heads are not a multiple of {} key heads", p.heads,
                     p.kv_heads);
  return p;
}

int64_t q_columns(const AttentionParams& p) { return int64_t{p.heads} * p.head_dim; }
int64_t kv_columns(const AttentionParams& p) { return int64_t{p.kv_heads} * p.head_dim; }

Linear joint_projection(Builder& b, const AttentionNames& names, const AttentionConfig& c) {
  const AttentionParams p = params_of(c, false);
  return {b,
          {names.q, names.k, names.v},
          c.model,
          q_columns(p) + 2 * kv_columns(p),
          {.bias = c.qkv_bias, .rows = {q_columns(p), kv_columns(p), kv_columns(p)}}};
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

SelfAttention::SelfAttention(Builder& b, const AttentionNames& names, const AttentionConfig& config, bool causal)
    : SelfAttention(
          b, joint_projection(b, names, config),
          Linear(b, {names.out}, q_columns(params_of(config, causal)), config.model, {.bias = config.out_bias}), config,
          causal) {}

SelfAttention::SelfAttention(Builder& b, Linear qkv, Linear out, const AttentionConfig& config, bool causal)
    : qkv_(std::move(qkv)),
      out_(std::move(out)),
      params_(params_of(config, causal)),
      dropout_(config.dropout),
      site_(b.take_sites(config.heads)) {}

Tensor SelfAttention::operator()(const Tensor& x, const Pass& pass, const ops::SegmentsPtr& segments,
                                 std::vector<Tensor>* probabilities) const {
  const int64_t q_cols = q_columns(params_), kv_cols = kv_columns(params_);
  const Tensor qkv = qkv_(x);  // [tokens, (heads + 2 * kv_heads) * head_dim]
  const Tensor q = qkv.slice_columns(0, q_cols), k = qkv.slice_columns(q_cols, kv_cols);
  collect(q, k, segments, params_, probabilities);
  return out_(ops::attention(q, k, qkv.slice_columns(q_cols + kv_cols, kv_cols), segments,
                             with_dropout(params_, pass, dropout_, site_)));
}

Tensor SelfAttention::step(const Tensor& x, KeyValueCache& cache, const KeyTable& table) const {
  const int64_t q_cols = q_columns(params_), kv_cols = kv_columns(params_);
  const Tensor qkv = qkv_(x);
  cache.append(qkv.slice_columns(q_cols, 2 * kv_cols));
  const Tensor y = Tensor::empty({x.dim(0), q_cols});
  backend(x.device())
      .attention_cached(qkv.slice_columns(0, q_cols).view(), cache.keys(), cache.values(), table.slots(),
                        table.stride(), table.lengths(), params_, y.view());
  return out_(y);
}

CrossAttention::CrossAttention(Builder& b, const AttentionNames& names, const AttentionConfig& config)
    : params_(params_of(config, false)), dropout_(config.dropout) {
  q_ = Linear(b, {names.q}, config.model, q_columns(params_), {.bias = config.qkv_bias});
  kv_ = Linear(b, {names.k, names.v}, config.model, 2 * kv_columns(params_), {.bias = config.qkv_bias});
  out_ = Linear(b, {names.out}, q_columns(params_), config.model, {.bias = config.out_bias});
  site_ = b.take_sites(config.heads);
}

Tensor CrossAttention::operator()(const Tensor& x, const Tensor& encoded, const Pass& pass,
                                  const ops::SegmentsPtr& segments, std::vector<Tensor>* probabilities) const {
  const int64_t kv_cols = kv_columns(params_);
  const Tensor q = q_(x), kv = kv_(encoded);  // [target tokens, heads * head_dim], [source tokens, 2 * kv_cols]
  const Tensor k = kv.slice_columns(0, kv_cols);
  collect(q, k, segments, params_, probabilities);
  return out_(
      ops::attention(q, k, kv.slice_columns(kv_cols, kv_cols), segments, with_dropout(params_, pass, dropout_, site_)));
}

Tensor CrossAttention::step(const Tensor& x, const Tensor& keys_values, std::span<const int32_t> slots, int64_t stride,
                            std::span<const int32_t> lengths) const {
  const int64_t kv_cols = kv_columns(params_);
  const Tensor q = q_(x), y = Tensor::empty(q.shape());
  backend(x.device())
      .attention_cached(q.view(), keys_values.slice_columns(0, kv_cols).view(),
                        keys_values.slice_columns(kv_cols, kv_cols).view(), slots, stride, lengths, params_, y.view());
  return out_(y);
}

}  // namespace heed::nn
