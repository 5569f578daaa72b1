#include "heed/nn/attention.h"

#include <algorithm>
#include <cmath>
#include <numeric>

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

AttentionParams in_pass(AttentionParams params, const Pass& pass, float rate, uint32_t site) {
  if (pass.training) params.dropout = {rate, pass.dropout_key, site, nullptr, nullptr};
  return params;
}

AttentionParams with_bias(AttentionParams params, const Tensor& bias) {
  params.bias.table = bias.view();
  return params;
}

void collect(const Tensor& q, const Tensor& k, const ops::SegmentsPtr& segments, const AttentionParams& params,
             std::vector<Tensor>* probabilities) {
  if (!probabilities) return;
  for (const Segment& s : *segments)
    for (int head = 0; head < params.heads; ++head) {
      const Tensor p = Tensor::empty({s.q_len, s.k_len}, DType::kF32, q.device());
      backend(q.device()).attention_probabilities(q.view(), k.view(), s, head, params, p.view());
      probabilities->push_back(p.to({}));
    }
}

// For a weight whose adapters drop inputs: the rows of a packed batch, as the segments of attention tell them.
ops::AdapterDropout adapter_dropout(const Linear& linear, const Tensor& x, const Pass& pass,
                                    const std::vector<Segment>& segments, bool queries) {
  if (!pass.training || !linear.weight.adapters_drop()) return {};
  auto rows = std::make_shared<ops::TokenRows>();
  rows->position.resize(static_cast<size_t>(x.shape().rows()));
  rows->example.resize(rows->position.size());
  for (const Segment& s : segments) {
    const auto begin = static_cast<size_t>(queries ? s.q_begin : s.k_begin);
    const auto length = static_cast<size_t>(queries ? s.q_len : s.k_len);
    for (size_t i = 0; i < length; ++i) {
      rows->position[begin + i] = static_cast<int32_t>(i);
      rows->example[begin + i] = s.example;
    }
  }
  return pass.adapter_dropout(rows);
}

Tensor apply(const Linear& linear, const Tensor& x, const ops::AdapterDropout& dropout) {
  return ops::linear(x, linear.weight, linear.bias, Activation::kNone, {}, dropout);
}

}  // namespace

int64_t KeyValueCache::append(const Tensor& keys, const Tensor& values) {
  const int64_t rows = keys.dim(0), columns = keys.dim(1), capacity = rows_.defined() ? rows_.dim(0) : 0;
  Backend& on = backend(keys.device());
  if (used_ + rows > capacity) {
    const int64_t wanted = std::max({2 * capacity, used_ + 2 * rows, int64_t{64}});
    const Tensor grown = Tensor::empty({wanted, 2 * columns}, DType::kF32, keys.device());
    if (used_ > 0) on.copy(rows_.slice_rows(0, used_).view(), grown.slice_rows(0, used_).view());
    rows_ = grown;
  }
  const Tensor added = rows_.slice_rows(used_, rows);
  const TensorView k = keys.view(), v = values.view();
  if (v.data == k.row<float>(0) + columns && v.row_stride == k.row_stride) {  // side by side already
    on.copy({k.data, k.dtype, added.shape(), k.row_stride}, added.view());
  } else {
    on.copy(k, added.slice_columns(0, columns).view());
    on.copy(v, added.slice_columns(columns, columns).view());
  }
  used_ += rows;
  return used_ - rows;
}

TensorView KeyValueCache::keys() const { return rows_.slice_columns(0, rows_.dim(1) / 2).view(); }
TensorView KeyValueCache::values() const { return rows_.slice_columns(rows_.dim(1) / 2, rows_.dim(1) / 2).view(); }

KeyTable::KeyTable(int rows, Device device)
    : device_(device), slots_(Tensor::empty({rows, 0}, DType::kI32, device)), lengths_(static_cast<size_t>(rows), 0) {}

KeyTable KeyTable::with_prompts(std::span<const int32_t> offsets, Device device) {
  KeyTable table(static_cast<int>(offsets.size()) - 1, device);
  for (size_t i = 0; i < table.lengths_.size(); ++i) table.lengths_[i] = offsets[i + 1] - offsets[i];
  // Room for half a prompt's length of new tokens, so that long prompts are not moved at once.
  const int64_t stride = table.longest() + table.longest() / 2;
  std::vector<int32_t> slots(table.lengths_.size() * static_cast<size_t>(stride));
  for (size_t i = 0; i < table.lengths_.size(); ++i) {
    const auto row = slots.begin() + static_cast<int64_t>(i) * stride;
    std::iota(row, row + table.lengths_[i], offsets[i]);
  }
  table.slots_ = Tensor::from(slots, {table.rows(), stride}, device);
  return table;
}

int64_t KeyTable::longest() const { return lengths_.empty() ? 0 : *std::max_element(lengths_.begin(), lengths_.end()); }

// Makes room for `length` tokens in each row.
void KeyTable::widen(int64_t length) {
  const int64_t stride = slots_.dim(1);
  if (length <= stride) return;
  const Tensor wider = Tensor::empty({rows(), std::max<int64_t>({length, 2 * stride, 32})}, DType::kI32, device_);
  if (stride > 0) backend(device_).copy(slots_.view(), wider.slice_columns(0, stride).view());
  slots_ = wider;
}

const Tensor& KeyTable::lengths_there() const {
  if (!lengths_there_.defined()) lengths_there_ = Tensor::from(lengths_, {rows()}, device_);
  return lengths_there_;
}

CachedKeys KeyTable::keys() const { return {slots_.view(), lengths_there().view()}; }

// Members change last: where memory runs out, the table is as it was.
void KeyTable::append(int64_t first) {
  widen(longest() + 1);
  std::vector<int32_t> lengths = lengths_;
  for (int32_t& length : lengths) ++length;
  const Tensor there = Tensor::from(lengths, {rows()}, device_);
  backend(device_).number_last(there.view(), static_cast<int32_t>(first), slots_.view());
  lengths_ = std::move(lengths);
  lengths_there_ = there;
  ++length_;
}

void KeyTable::gather(const Tensor& parents) {
  const Tensor slots = Tensor::empty({parents.numel(), slots_.dim(1)}, DType::kI32, device_);
  const int64_t used = longest();
  if (used > 0)
    backend(device_).gather_rows(slots_.slice_columns(0, used).view(), parents.view(),
                                 slots.slice_columns(0, used).view());
  slots_ = slots;
}

void KeyTable::select(std::span<const int32_t> parents) {
  std::vector<int32_t> lengths;
  lengths.reserve(parents.size());
  for (const int32_t parent : parents) lengths.push_back(lengths_[static_cast<size_t>(parent)]);
  gather(Tensor::from(parents, {static_cast<int64_t>(parents.size())}, device_));
  if (lengths == lengths_) return;
  lengths_ = std::move(lengths);
  lengths_there_ = Tensor();
}

void KeyTable::select(const Tensor& parents) {
  check<ShapeError>(parents.numel() == rows(), "{} parents for {} hypotheses", parents.numel(), rows());
  gather(parents);
}

void KeyTable::truncate(int64_t length) {
  if (length >= length_) return;
  for (int32_t& l : lengths_) l -= static_cast<int32_t>(length_ - length);
  lengths_there_ = Tensor();
  length_ = length;
}

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

SelfAttention::Projections SelfAttention::project(const Tensor& x, const ops::Rotation& rotation,
                                                  const ops::AdapterDropout& dropout) const {
  const int64_t q_cols = q_columns(params_), kv_cols = kv_columns(params_);
  const Tensor qkv = apply(qkv_, x, dropout);  // [tokens, (heads + 2 * kv_heads) * head_dim]
  const Tensor qk = ops::rope(qkv.slice_columns(0, q_cols + kv_cols), rotation);
  return {qk.slice_columns(0, q_cols), qk.slice_columns(q_cols, kv_cols), qkv.slice_columns(q_cols + kv_cols, kv_cols)};
}

Tensor SelfAttention::operator()(const Tensor& x, const Pass& pass, const ops::SegmentsPtr& segments,
                                 std::vector<Tensor>* probabilities, const AttentionPositions& positions) const {
  const auto [q, k, v] = project(x, positions.rotation, adapter_dropout(qkv_, x, pass, *segments, true));
  collect(q, k, segments, with_bias(params_, positions.bias), probabilities);
  const Tensor y = ops::attention(q, k, v, segments, in_pass(params_, pass, dropout_, site_), positions.bias);
  return apply(out_, y, adapter_dropout(out_, y, pass, *segments, true));
}

Tensor SelfAttention::prefill(const Tensor& x, const ops::SegmentsPtr& segments, KeyValueCache& cache,
                              const AttentionPositions& positions) const {
  const auto [q, k, v] = project(x, positions.rotation);
  cache.append(k, v);
  return out_(ops::attention(q, k, v, segments, params_, positions.bias));
}

Tensor SelfAttention::step(const Tensor& x, KeyValueCache& cache, const KeyTable& table,
                           const AttentionPositions& positions) const {
  const auto [q, k, v] = project(x, positions.rotation);
  cache.append(k, v);
  const Tensor y = Tensor::empty(q.shape(), DType::kF32, q.device());
  backend(x.device())
      .attention_cached(q.view(), cache.keys(), cache.values(), table.keys(), with_bias(params_, positions.bias),
                        y.view());
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
  const Tensor q = apply(q_, x, adapter_dropout(q_, x, pass, *segments, true));
  const Tensor kv = apply(kv_, encoded, adapter_dropout(kv_, encoded, pass, *segments, false));
  // [target tokens, heads * head_dim], [source tokens, 2 * kv_cols]
  const Tensor k = kv.slice_columns(0, kv_cols);
  collect(q, k, segments, params_, probabilities);
  const Tensor y =
      ops::attention(q, k, kv.slice_columns(kv_cols, kv_cols), segments, in_pass(params_, pass, dropout_, site_));
  return apply(out_, y, adapter_dropout(out_, y, pass, *segments, true));
}

Tensor CrossAttention::step(const Tensor& x, const Tensor& keys_values, const KeyTable& sources) const {
  const int64_t kv_cols = kv_columns(params_);
  const Tensor q = q_(x), y = Tensor::empty(q.shape(), DType::kF32, q.device());
  backend(x.device())
      .attention_cached(q.view(), keys_values.slice_columns(0, kv_cols).view(),
                        keys_values.slice_columns(kv_cols, kv_cols).view(), sources.keys(), params_, y.view());
  return out_(y);
}

}  // namespace heed::nn
