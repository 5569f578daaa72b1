#include "heed/models/text_encoder.h"

#include "heed/models/trace.h"
#include "heed/nn/initialization.h"
#include "heed/nn/positions.h"
#include "heed/tensor/backends.h"

namespace heed::models {
namespace {

Tensor ids_tensor(const std::vector<int32_t>& ids) { return Tensor::from(ids, {static_cast<int64_t>(ids.size())}); }

nn::AttentionNames prefixed(const std::string& prefix, const nn::AttentionNames& names) {
  return {prefix + names.q, prefix + names.k, prefix + names.v, prefix + names.out};
}

Tensor make_table(nn::Builder& b, const std::string& name, int64_t rows, const TextEncoderConfig& c,
                  std::optional<int32_t> padding) {
  Tensor table = b.store.create({name + ".weight"}, {rows, c.model});
  nn::normal(table, c.deviation, b);
  if (padding) nn::constant(table.slice_rows(*padding, 1), 0, b);
  return table;
}

// The row of the position table for each token.
std::vector<int32_t> places(const Ragged& ids, const PositionScheme& scheme) {
  std::vector<int32_t> result;
  result.reserve(ids.ids.size());
  for (int i = 0; i < ids.rows(); ++i) {
    int32_t next = scheme.first;
    for (const int32_t id : ids.row(i)) result.push_back(scheme.padding == id ? id : next++);
  }
  return result;
}

}  // namespace

TextEncoderLayer::TextEncoderLayer(nn::Builder& b, const std::string& prefix, const TextEncoderNames& names,
                                   const TextEncoderConfig& c)
    : attention(b, prefixed(prefix, names.attention), {c.model, c.heads, c.attention_dropout}, false),
      attention_residual(b, prefix + names.attention_norm, c.model, false, c.residual_dropout, c.epsilon),
      ffn(b, {prefix + names.fc1, prefix + names.fc2}, c.model, c.ffn, c.activation, 0),
      ffn_residual(b, prefix + names.ffn_norm, c.model, false, c.dropout, c.epsilon) {}

TextEncoder::TextEncoder(nn::Builder& b, const std::string& prefix, const TextEncoderNames& names,
                         const TextEncoderConfig& c)
    : config_(c) {
  b.deviation = c.deviation;
  words_ = ops::Weight(make_table(b, prefix + names.words, c.vocab, c, c.padding));
  positions_ = make_table(b, prefix + names.positions, c.positions, c, c.scheme.padding);
  if (c.sinusoidal && b.random)
    backend(positions_.device()).copy(nn::sinusoids_interleaved(c.positions, c.model).view(), positions_.view());
  if (c.types > 0) types_ = make_table(b, prefix + names.types, c.types, c, std::nullopt);
  norm_ = nn::Norm(b, prefix + names.norm, c.model, c.epsilon);
  site_ = b.take_sites(1);
  for (int i = 0; i < c.layers; ++i) layers_.emplace_back(b, fmt::format("{}{}{}.", prefix, names.layers, i), names, c);
}

std::vector<int32_t> TextEncoder::whole(const TextBatch& batch) const {
  return {batch.ids.offsets.begin(), batch.ids.offsets.end() - 1};
}

// norm(word + position + type), then dropout.
Tensor TextEncoder::embed(const TextBatch& batch, const ops::TokenRowsPtr& rows, const nn::Pass& pass) const {
  const auto look_up = [&](const std::vector<int32_t>& ids, const auto& table, std::optional<int32_t> untrained) {
    return ops::embedding(ids_tensor(ids), table, 1, rows, {}, {}, untrained.value_or(-1));  // [tokens, model]
  };
  Tensor x = look_up(batch.ids.ids, words_, config_.padding);
  if (types_.defined()) {
    const bool given = !batch.types.empty() && config_.types > 1;
    const std::vector<int32_t> zeros(given ? 0 : batch.ids.ids.size());
    x = ops::add(x, look_up(given ? batch.types : zeros, types_, std::nullopt));
  }
  x = ops::add(x, look_up(places(batch.ids, config_.scheme), positions_, config_.scheme.padding));
  return ops::dropout(norm_(x), pass.dropout(config_.dropout, site_, rows));
}

Tensor TextEncoder::operator()(const TextBatch& batch, const ops::TokenRowsPtr& rows, const nn::Pass& pass) const {
  if (config_.types > 1)
    for (const int32_t type : batch.types)
      check<DataError>(type >= 0 && type < config_.types, "token type {}; the model has {}", type, config_.types);
  // Trailing tokens that attention does not see ask nevertheless.
  const ops::SegmentsPtr segments = with_visible_keys(ops::segments(*rows, *rows), batch.visible);
  Tensor x = embed(batch, rows, pass);  // [tokens, model]
  note(&nn::Trace::encoder_states, pass, x);
  for (const TextEncoderLayer& layer : layers_) {
    std::vector<Tensor>* attentions = next_layer(&nn::Trace::encoder_attentions, pass);
    x = nn::layer(pass, {x}, [&layer, pass, rows, segments, attentions](const std::vector<Tensor>& in) {
      const Tensor a = layer.attention_residual(
          in[0], pass, rows, [&](const Tensor& h) { return layer.attention(h, pass, segments, attentions); });
      return layer.ffn_residual(a, pass, rows, [&](const Tensor& h) { return layer.ffn(h, pass, rows); });
    });
    note(&nn::Trace::encoder_states, pass, x);
  }
  return x;
}

}  // namespace heed::models
