#include <gtest/gtest.h>

#include <cmath>

#include "heed/base/random.h"
#include "heed/ops/composed.h"
#include "heed/ops/ops.h"
#include "heed/tensor/backends.h"
#include "ops/op_case.h"

namespace heed {
namespace {

using testing::run;

using testing::OpCase;

struct Setting {
  std::vector<int> q_lengths, k_lengths;
  int heads, kv_heads, head_dim;
  bool causal;
  float dropout;
};

ops::TokenRowsPtr rows_of(const std::vector<int>& lengths) {
  Ragged batch;
  for (const int n : lengths) batch.append(std::vector<int32_t>(static_cast<size_t>(n)));
  return ops::token_rows(batch);
}

OpCase attention_case(const Setting& s) {
  const auto q = rows_of(s.q_lengths), k = rows_of(s.k_lengths);
  AttentionParams p{s.heads, s.kv_heads, s.head_dim, 0.3f, s.causal, {}};
  p.dropout = {s.dropout, 5, 40, nullptr, nullptr};
  const auto call = [=](auto function) {
    return [=](const std::vector<Tensor>& x) { return function(x[0], x[1], x[2], ops::segments(*q, *k), p, {}); };
  };
  const int64_t kv = int64_t{s.kv_heads} * s.head_dim;
  return {fmt::format("attention {}x{} of {}{}", s.heads, s.kv_heads, s.head_dim, s.causal ? " causal" : ""),
          {{q->tokens(), int64_t{s.heads} * s.head_dim}, {k->tokens(), kv}, {k->tokens(), kv}},
          call(&ops::attention),
          call(&ops::composed::attention)};
}

TEST(Attention, MatchesComposed) {
  run(attention_case({{3, 1, 5}, {4, 2, 7}, 2, 2, 8, false, 0}));
  run(attention_case({{13, 20}, {13, 20}, 4, 4, 32, true, 0}));
  run(attention_case({{1}, {1}, 1, 1, 1, true, 0}));
  run(attention_case({{17, 3}, {17, 3}, 4, 2, 5, true, 0}));  // grouped heads, odd size
  run(attention_case({{70}, {33}, 2, 1, 16, false, 0}));      // more than one block of queries
  run(attention_case({{140}, {140}, 2, 2, 64, true, 0}));
  run(attention_case({{9, 4}, {11, 6}, 2, 2, 16, false, 0.3f}));
  run(attention_case({{130}, {130}, 2, 2, 16, true, 0.3f}));  // more than one group of dropout factors
}

// With a bias by distance, its gradient included.
OpCase bias_case(const Setting& s, int64_t reach, int q_offset = 0) {
  OpCase c = attention_case(s);
  const auto q = rows_of(s.q_lengths), k = rows_of(s.k_lengths);
  AttentionParams p{s.heads, s.kv_heads, s.head_dim, 0.3f, s.causal, {}};
  p.dropout = {s.dropout, 5, 40, nullptr, nullptr};
  auto segments = std::make_shared<std::vector<Segment>>(*ops::segments(*q, *k));
  for (Segment& segment : *segments) segment.q_offset = q_offset;
  const auto call = [=](auto function) {
    return [=](const std::vector<Tensor>& x) { return function(x[0], x[1], x[2], segments, p, x[3]); };
  };
  c.name += fmt::format(" with a bias of reach {}", reach);
  c.inputs.push_back({2 * reach + 1, s.heads});
  c.op = call(&ops::attention);
  c.reference = call(&ops::composed::attention);
  return c;
}

TEST(Attention, BiasByDistanceMatchesComposed) {
  run(bias_case({{3, 1, 5}, {4, 2, 7}, 2, 2, 8, false, 0}, 3));
  run(bias_case({{13, 20}, {13, 20}, 4, 4, 32, true, 0}, 30));  // reaches farther than any distance
  run(bias_case({{1}, {1}, 1, 1, 1, true, 0}, 0));
  run(bias_case({{17, 3}, {17, 3}, 4, 2, 5, false, 0}, 6));  // grouped heads, odd size
  run(bias_case({{70}, {70}, 2, 1, 16, true, 0}, 20));       // more than one block of queries
  run(bias_case({{9, 4}, {11, 6}, 2, 2, 16, false, 0.3f}, 4));
  run(bias_case({{5}, {12}, 2, 2, 8, true, 0}, 4, 7));  // queries that continue a sequence
}

TEST(Attention, BiasThatDoesNotFitIsRefused) {
  const auto rows = rows_of({2});
  const Tensor x = testing::random_tensor({2, 8}, 1);
  const AttentionParams p{2, 2, 4, 1, false, {}};
  EXPECT_THROW(ops::attention(x, x, x, ops::segments(*rows, *rows), p, Tensor::zeros({4, 2})), ShapeError);
  EXPECT_THROW(ops::attention(x, x, x, ops::segments(*rows, *rows), p, Tensor::zeros({5, 3})), ShapeError);
}

// q, k and v as windows of one joint matrix: the gradient is written straight into its windows.
TEST(Attention, JointProjectionGivesJointGradient) {
  const auto rows = rows_of({5, 3});
  const AttentionParams p{2, 2, 4, 0.5f, false, {}};
  const auto joint = [=](auto function) {
    return [=](const std::vector<Tensor>& x) {
      return function(x[0].slice_columns(0, 8), x[0].slice_columns(8, 8), x[0].slice_columns(16, 8),
                      ops::segments(*rows, *rows), p, {});
    };
  };
  run({"joint attention", {{8, 24}}, joint(&ops::attention), joint(&ops::composed::attention)});
}

// Trailing rows that ask but are not seen, as padding whose outputs count: their keys and values get no gradient, also
// where nobody wrote one before.
TEST(Attention, RowsThatNobodySees) {
  const AttentionParams p{2, 2, 4, 0.5f, false, {}};
  const auto segments =
      std::make_shared<const std::vector<Segment>>(std::vector<Segment>{{0, 5, 0, 3, 0, 0}, {5, 3, 5, 3, 0, 1}});
  const auto on_parts = [=](auto function) {
    return [=](const std::vector<Tensor>& x) { return function(x[0], x[1], x[2], segments, p, Tensor()); };
  };
  run({"unseen keys", {{8, 8}, {8, 8}, {8, 8}}, on_parts(&ops::attention), on_parts(&ops::composed::attention)});
  const auto joint = [=](auto function) {
    return [=](const std::vector<Tensor>& x) {
      return function(x[0].slice_columns(0, 8), x[0].slice_columns(8, 8), x[0].slice_columns(16, 8), segments, p,
                      Tensor());
    };
  };
  run({"unseen keys, joint", {{8, 24}}, joint(&ops::attention), joint(&ops::composed::attention)});
}

// One query at a time over a cache that a table permutes, against causal attention over the whole sequence.
TEST(Attention, CachedEqualsCausal) {
  constexpr int64_t kTime = 21;
  for (const auto& [heads, kv_heads, dim] : {std::array<int, 3>{4, 4, 32}, {4, 2, 8}, {3, 1, 5}}) {
    const Tensor q = testing::random_tensor({kTime, int64_t{heads} * dim}, 1);
    const Tensor k = testing::random_tensor({kTime, int64_t{kv_heads} * dim}, 2);
    const Tensor v = testing::random_tensor({kTime, int64_t{kv_heads} * dim}, 3);
    const Tensor bias = heads == 3 ? testing::random_tensor({2 * 6 + 1, heads}, 4) : Tensor();
    AttentionParams p{heads, kv_heads, dim, 0.2f, true, {}};
    p.bias.table = bias.view();
    const auto rows = rows_of({kTime});
    const Tensor expected = ops::attention(q, k, v, ops::segments(*rows, *rows), p, bias);
    std::vector<int32_t> order(kTime);
    for (int i = 0; i < kTime; ++i) order[static_cast<size_t>(i)] = i;
    Random(9).shuffle(order);
    Tensor keys = Tensor::empty(k.shape()), values = Tensor::empty(v.shape());
    Backend& on = backend();
    for (int i = 0; i < kTime; ++i) {
      on.copy(k.slice_rows(i, 1).view(), keys.slice_rows(order[static_cast<size_t>(i)], 1).view());
      on.copy(v.slice_rows(i, 1).view(), values.slice_rows(order[static_cast<size_t>(i)], 1).view());
    }
    Tensor y = Tensor::empty(q.shape());
    for (int32_t t = 0; t < kTime; ++t) {
      const Tensor table = Tensor::from(order, {1, kTime}), length = Tensor::from(std::vector{t + 1}, {1});
      on.attention_cached(q.slice_rows(t, 1).view(), keys.view(), values.view(), {table.view(), length.view()}, p,
                          y.slice_rows(t, 1).view());
    }
    testing::expect_near(y, expected, 1e-5, "cached attention");
  }
}

TEST(Attention, ProbabilitiesSumToOneAndRespectCausality) {
  const Tensor q = testing::random_tensor({6, 8}, 1), k = testing::random_tensor({6, 8}, 2);
  Tensor p = Tensor::empty({6, 6});
  backend().attention_probabilities(q.view(), k.view(), {0, 6, 0, 6, 0, 0}, 1, {2, 2, 4, 0.5f, true, {}}, p.view());
  for (int i = 0; i < 6; ++i) {
    double sum = 0;
    for (int j = 0; j < 6; ++j) {
      sum += p.data<float>()[i * 6 + j];
      if (j > i) {
        EXPECT_EQ(p.data<float>()[i * 6 + j], 0);
      }
    }
    EXPECT_NEAR(sum, 1, 1e-6);
  }
}

TEST(Attention, ProbabilitiesSeeTheBias) {
  const Tensor q = Tensor::zeros({3, 4});  // all scores are 0 but for the bias
  Tensor p = Tensor::empty({3, 3});
  const Tensor bias = Tensor::from(std::vector<float>{0, std::log(3.0f), 0}, {3, 1});
  AttentionParams params{1, 1, 4, 1, false, {}};
  params.bias.table = bias.view();
  backend().attention_probabilities(q.view(), q.view(), {0, 3, 0, 3, 0, 0}, 0, params, p.view());
  EXPECT_NEAR(p.data<float>()[0], 0.6, 1e-6);
  EXPECT_NEAR(p.data<float>()[1], 0.2, 1e-6);
  EXPECT_NEAR(p.data<float>()[8], 0.6, 1e-6);
}

TEST(Attention, RejectsShapesThatDoNotFit) {
  const auto rows = rows_of({2});
  const Tensor x = testing::random_tensor({2, 8}, 1);
  EXPECT_THROW(ops::attention(x, x, x, ops::segments(*rows, *rows), {3, 3, 4, 1, false, {}}), ShapeError);
  EXPECT_THROW(ops::attention(x, x.slice_columns(0, 4), x, ops::segments(*rows, *rows), {2, 1, 4, 1, false, {}}),
               ShapeError);
}

}  // namespace
}  // namespace heed
