#include "heed/ops/composed.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace heed::ops::composed {

Tensor linear(const Tensor& x, const Weight& w, const Tensor& bias, Activation kind) {
  Tensor y = matmul(x, w.master(), false, !w.transposed());  // [rows, out]
  if (bias.defined()) {
    const Tensor ones = Tensor::full({x.dim(0), 1}, 1);
    y = add(y, matmul(ones, bias.reshape({1, bias.numel()})));
  }
  return kind == Activation::kNone ? y : activation(y, kind);
}

namespace {

// The factors of one head's probabilities [time_q, time_k], in attention's layout: key k of query q takes channel
// 128 (k / 16) + 16 (q mod 8) + k mod 16 at position q / 8.
Tensor dropout_factors(const Dropout& spec, const Segment& s, int head) {
  auto rows = std::make_shared<TokenRows>();
  for (int block = 0; block <= (s.q_offset + s.q_len) / 8; ++block) {
    rows->position.push_back(block);
    rows->example.push_back(s.example);
  }
  const int64_t channels = (s.k_len + 15) / 16 * 128;
  const uint32_t site = spec.site + static_cast<uint32_t>(head);
  const Tensor drawn =
      dropout(Tensor::full({rows->tokens(), channels}, 1), dropout_site(spec.rate, spec.key, site, rows));
  std::vector<float> factors;
  for (int q = s.q_offset; q < s.q_offset + s.q_len; ++q)
    for (int k = 0; k < s.k_len; ++k)
      factors.push_back(drawn.data<float>()[q / 8 * channels + k / 16 * 128 + q % 8 * 16 + k % 16]);
  return Tensor::from(factors, {s.q_len, s.k_len});
}

// The biases of one head's scores [time_q, time_k], looked up one by one.
Tensor biases(const Tensor& table, const Segment& s, int head) {
  const int32_t reach = static_cast<int32_t>(table.dim(0)) / 2;
  auto places = std::make_shared<TokenRows>();
  std::vector<int32_t> rows;
  for (int32_t i = 0; i < s.q_len; ++i)
    for (int32_t j = 0; j < s.k_len; ++j) rows.push_back(reach + std::clamp(j - s.q_offset - i, -reach, reach));
  places->position.resize(rows.size());
  places->example.resize(rows.size());
  Tensor one_head = Tensor::zeros({table.dim(1), 1});
  one_head.data<float>()[head] = 1;
  const Tensor found = embedding(Tensor::from(rows, {places->tokens()}), table, 1, places, {}, {});
  return matmul(found, one_head).reshape({s.q_len, s.k_len});
}

}  // namespace

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const SegmentsPtr& segments,
                 const AttentionParams& p, const Tensor& bias) {
  const int group = p.heads / p.kv_heads;
  std::vector<Tensor> sentences;
  for (const Segment& s : *segments) {
    const auto k_len = static_cast<size_t>(s.k_len);
    std::vector<float> mask(static_cast<size_t>(s.q_len) * k_len);
    for (int i = 0; i < s.q_len; ++i)
      for (int j = 0; j < s.k_len; ++j)
        if (p.causal && j > s.q_offset + i) mask[static_cast<size_t>(i) * k_len + static_cast<size_t>(j)] = -1e30f;
    std::vector<Tensor> heads;
    for (int h = 0; h < p.heads; ++h) {
      const auto part = [&](const Tensor& x, int begin, int length, int head) {
        return x.slice_rows(begin, length).slice_columns(head * p.head_dim, p.head_dim);
      };
      const Tensor scores = matmul(part(q, s.q_begin, s.q_len, h), part(k, s.k_begin, s.k_len, h / group), false, true);
      Tensor masked = add(scale(scores, p.scale), Tensor::from(mask, {s.q_len, s.k_len}));  // [time_q, time_k]
      if (bias.defined()) masked = add(masked, biases(bias, s, h));
      Tensor probabilities = softmax(masked);
      if (p.dropout.active()) probabilities = multiply(probabilities, dropout_factors(p.dropout, s, h));
      heads.push_back(matmul(probabilities, part(v, s.k_begin, s.k_len, h / group)));  // [time_q, head_dim]
    }
    sentences.push_back(concatenate_columns(heads));
  }
  return concatenate_rows(sentences);
}

Tensor rope(const Tensor& x, const Rotation& rotation) {
  const int64_t tokens = x.dim(0), head_dim = rotation.table.dim(1), half = head_dim / 2;
  std::vector<float> cosines, sines;
  for (int64_t r = 0; r < tokens; ++r) {
    const float* row = rotation.table.data<float>() + rotation.positions.data<int32_t>()[r] * head_dim;
    cosines.insert(cosines.end(), row, row + half);
    sines.insert(sines.end(), row + half, row + head_dim);
  }
  const Tensor cos = Tensor::from(cosines, {tokens, half}), sin = Tensor::from(sines, {tokens, half});
  std::vector<Tensor> parts;
  for (int64_t begin = 0; begin < x.dim(1); begin += head_dim) {
    const Tensor x1 = x.slice_columns(begin, half), x2 = x.slice_columns(begin + half, half);
    parts.push_back(add(multiply(x1, cos), scale(multiply(x2, sin), -1)));
    parts.push_back(add(multiply(x2, cos), multiply(x1, sin)));
  }
  return concatenate_columns(parts);
}

Tensor linear_cross_entropy(const Tensor& x, const Weight& w, const Tensor& targets, float smoothing, double divisor) {
  const Tensor logits = matmul(x, w.master(), false, !w.transposed());
  const int64_t tokens = logits.dim(0), vocab = logits.dim(1);
  // loss = sum over classes of -q log p, with log p = logits - lse: written as a constant times the logits plus the
  // lse, whose gradient is the softmax. The lse's part is taken through p by hand: d lse = p dlogits.
  std::vector<float> weight(static_cast<size_t>(tokens * vocab));
  double constant = 0;
  const Tensor p = softmax(logits);
  for (int64_t r = 0; r < tokens; ++r) {
    const int32_t target = targets.data<int32_t>()[r];
    if (target < 0) continue;
    for (int64_t c = 0; c < vocab; ++c) {
      const auto i = static_cast<size_t>(r * vocab + c);
      const double q = (c == target ? 1 - smoothing : 0) + smoothing / static_cast<double>(vocab);
      constant -= q * std::log(static_cast<double>(p.data<float>()[i]));
      weight[i] = static_cast<float>((p.data<float>()[i] - q) / divisor);
    }
  }
  const Tensor linearised = sum(multiply(logits, Tensor::from(weight, {tokens, vocab})));
  double at = 0;
  for (int64_t i = 0; i < tokens * vocab; ++i)
    at += static_cast<double>(weight[static_cast<size_t>(i)]) * logits.data<float>()[i];
  return add(linearised, Tensor::full({1}, constant / divisor - at));
}

}  // namespace heed::ops::composed
