// Attention on a GPU against the CPU's.
#include <algorithm>
#include <array>
#include <vector>

#include "cuda/gpu_backend.h"
#include "heed/nn/attention.h"

namespace heed {
namespace {

using testing::Both;
using testing::expect_close;
using testing::GpuBackend;
using testing::kGpu;

struct AttentionCase {
  std::vector<Segment> segments;
  int heads, kv_heads, head_dim;
  bool causal;
  float dropout;
  int64_t reach;  // of a bias; 0: none
};

void check_attention(const AttentionCase& c) {
  int32_t tokens_q = 0, tokens_k = 0;
  for (const Segment& s : c.segments) {
    tokens_q = std::max(tokens_q, s.q_begin + s.q_len);
    tokens_k = std::max(tokens_k, s.k_begin + s.k_len);
  }
  const int64_t cols = int64_t{c.heads} * c.head_dim, kv_cols = int64_t{c.kv_heads} * c.head_dim;
  const int64_t table_rows = 2 * c.reach + 1;
  const Both q({tokens_q, cols}, 1), k({tokens_k, kv_cols}, 2), v({tokens_k, kv_cols}, 3), dy({tokens_q, cols}, 4);
  const Both y({tokens_q, cols}, 5), lse({tokens_q, c.heads}, 6), bias({table_rows, c.heads}, 7);
  const Both dbias({std::ssize(c.segments), table_rows * c.heads}, 8);
  AttentionParams p{c.heads, c.kv_heads, c.head_dim, 0.3f, c.causal, {c.dropout, 5, 40, nullptr, nullptr}};
  for (const bool accumulate : {false, true}) {
    const Both dq({tokens_q, cols}, 9), dk({tokens_k, kv_cols}, 10), dv({tokens_k, kv_cols}, 11);
    const auto run = [&](Device device, const Tensor Both::*t) {
      const TensorView none;
      if (c.reach > 0) p.bias.table = (bias.*t).view();
      Backend& on = backend(device);
      on.attention((q.*t).view(), (k.*t).view(), (v.*t).view(), c.segments, p, (y.*t).view(), (lse.*t).view());
      on.attention_backward((q.*t).view(), (k.*t).view(), (v.*t).view(), (y.*t).view(), (lse.*t).view(), (dy.*t).view(),
                            c.segments, p, accumulate, (dq.*t).view(), (dk.*t).view(), (dv.*t).view(),
                            c.reach > 0 ? (dbias.*t).view() : none);
    };
    run({}, &Both::cpu);
    run(kGpu, &Both::gpu);
    const std::string what =
        fmt::format(" of {}x{} heads of {}{}", c.heads, c.kv_heads, c.head_dim, c.causal ? " causal" : "");
    expect_close(y, 2e-5, "y" + what);
    expect_close(lse, 2e-5, "lse" + what);
    expect_close(dq, 5e-5, "dq" + what);
    expect_close(dk, 5e-5, "dk" + what);
    expect_close(dv, 5e-5, "dv" + what);
    if (c.reach > 0) expect_close(dbias, 1e-4, "dbias" + what);
  }
}

TEST_F(GpuBackend, AttentionForwardAndBackward) {
  check_attention({{{0, 1, 0, 1, 0, 0}}, 1, 1, 1, false, 0, 0});
  check_attention({{{0, 70, 0, 33, 0, 0}, {70, 5, 33, 40, 0, 9}}, 2, 1, 16, false, 0, 0});
  check_attention({{{0, 100, 0, 100, 0, 0}}, 2, 2, 64, true, 0, 0});
  check_attention({{{0, 40, 0, 40, 0, 3}}, 1, 1, 128, true, 0.2f, 0});
  check_attention({{{0, 33, 0, 33, 0, 0}, {33, 31, 33, 31, 0, 1}}, 4, 2, 5, true, 0.3f, 0});
  check_attention({{{0, 10, 0, 75, 65, 2}}, 2, 2, 96, true, 0.3f, 0});  // continues a sequence, in the midst of a block
  check_attention({{{0, 7, 0, 50, 43, 2}, {7, 20, 50, 20, 3, 4}}, 2, 2, 8, true, 0.3f, 6});
  check_attention({{{0, 66, 0, 90, 0, 0}, {66, 3, 90, 5, 0, 0}}, 3, 3, 20, false, 0, 10});
  check_attention({{{0, 66, 0, 66, 0, 0}}, 2, 1, 32, true, 0, 200});  // reaches farther than any distance
  check_attention({{{0, 5, 0, 3, 0, 0}, {5, 3, 5, 3, 0, 1}}, 2, 2, 4, false, 0, 0});  // keys 3 and 4 belong to nobody
}

TEST_F(GpuBackend, AttentionOverACache) {
  for (const auto& [heads, kv_heads, dim, reach] :
       {std::array<int, 4>{2, 2, 8, 0}, {4, 2, 64, 0}, {3, 1, 5, 6}, {2, 2, 128, 3}}) {
    constexpr int64_t kRows = 4, kStride = 37, kCached = 50;
    const Both q({kRows, int64_t{heads} * dim}, 1), k({kCached, int64_t{kv_heads} * dim}, 2);
    const Both v({kCached, int64_t{kv_heads} * dim}, 3), y({kRows, int64_t{heads} * dim}, 4);
    const Both bias({2 * int64_t{reach} + 1, heads}, 5);
    std::vector<int32_t> slots(kRows * kStride);
    Random random(1);
    for (int32_t& slot : slots) slot = static_cast<int32_t>(random.below(kCached));
    const Both table(Tensor::from(slots, {kRows, kStride}));
    const Both lengths(Tensor::from(std::vector<int32_t>{1, 37, 0, 20}, {kRows}));
    AttentionParams p{heads, kv_heads, dim, 0.2f, true, {}};
    if (reach > 0) p.bias.table = bias.cpu.view();
    cpu().attention_cached(q.cpu.view(), k.cpu.view(), v.cpu.view(), {table.cpu.view(), lengths.cpu.view()}, p,
                           y.cpu.view());
    if (reach > 0) p.bias.table = bias.gpu.view();
    gpu().attention_cached(q.gpu.view(), k.gpu.view(), v.gpu.view(), {table.gpu.view(), lengths.gpu.view()}, p,
                           y.gpu.view());
    expect_close(y, 1e-5, fmt::format("{} heads of {}", heads, dim));
    const Tensor alone = Tensor::empty({1, int64_t{heads} * dim}, DType::kF32, kGpu);
    gpu().attention_cached(q.gpu.slice_rows(1, 1).view(), k.gpu.view(), v.gpu.view(),
                           {table.gpu.slice_rows(1, 1).view(), lengths.gpu.slice_rows(1, 1).view()}, p, alone.view());
    EXPECT_EQ(alone.to_vector<float>(), y.gpu.slice_rows(1, 1).to_vector<float>());
  }
}

TEST_F(GpuBackend, AKeyTableThereIsAsItIsHere) {
  const std::vector<int32_t> offsets{0, 3, 4};
  nn::KeyTable here = nn::KeyTable::with_prompts(offsets, {}), there = nn::KeyTable::with_prompts(offsets, kGpu);
  const auto expect_same = [&](const char* after) {
    EXPECT_TRUE(std::ranges::equal(there.lengths(), here.lengths())) << after;
    const auto stride = static_cast<size_t>(here.slots().dim(1));
    ASSERT_EQ(there.slots().shape(), here.slots().shape()) << after;
    const auto slots = there.slots().to_vector<int32_t>(), expected = here.slots().to_vector<int32_t>();
    std::vector<int32_t> lengths(static_cast<size_t>(here.rows()));
    gpu().to_host(there.keys().lengths.data, lengths.size() * sizeof(int32_t), lengths.data());
    for (size_t r = 0; r < lengths.size(); ++r) {
      EXPECT_EQ(lengths[r], here.lengths()[r]) << after;
      for (size_t t = r * stride; t < r * stride + static_cast<size_t>(lengths[r]); ++t)
        EXPECT_EQ(slots[t], expected[t]) << after << ", row " << r;
    }
  };
  const auto change = [&](const char* name, const auto& f) {
    f(here);
    f(there);
    expect_same(name);
  };
  change("append", [](nn::KeyTable& table) { table.append(4); });
  change("another", [](nn::KeyTable& table) { table.append(6); });
  change("select", [](nn::KeyTable& table) { table.select(std::vector<int32_t>{1, 1, 0}); });
  change("append behind it", [](nn::KeyTable& table) { table.append(8); });
  const std::vector<int32_t> swapped{1, 0, 2};
  here.select(Tensor::from(swapped, {3}));
  there.select(Tensor::from(swapped, {3}, kGpu));
  expect_same("select by a tensor");
  change("truncate", [](nn::KeyTable& table) { table.truncate(1); });
  for (int i = 0; i < 60; ++i) change("growth", [&](nn::KeyTable& table) { table.append(11 + 3 * i); });
}

TEST_F(GpuBackend, ProbabilitiesOfAttention) {
  const Both q({6, 8}, 1), k({9, 8}, 2), p({6, 9}, 3), bias({5, 2}, 4);
  AttentionParams params{2, 2, 4, 0.5f, true, {}};
  const Segment segment{0, 6, 0, 9, 2, 0};
  params.bias.table = bias.cpu.view();
  cpu().attention_probabilities(q.cpu.view(), k.cpu.view(), segment, 1, params, p.cpu.view());
  params.bias.table = bias.gpu.view();
  gpu().attention_probabilities(q.gpu.view(), k.gpu.view(), segment, 1, params, p.gpu.view());
  expect_close(p, 1e-6, "probabilities");
}

}  // namespace
}  // namespace heed
