// Attention with factors rounded to bf16, on a GPU's tensor cores, against the CPU's in f32.
//
// The GPU gets numbers that it rounds itself, the CPU the same, rounded: what is left between them is the rounding of
// probabilities and of their gradients, 2^-9 of each at most, independently of one another. What a row sums may cancel
// where the errors do not, so a row differs by about 2^-9 of the length that rows have in the mean; 2^-7 is allowed.
#include <algorithm>
#include <functional>
#include <vector>

#include "cuda/gpu_backend.h"
#include "heed/nn/attention.h"

namespace heed {
namespace {

using testing::Both;
using testing::expect_close;
using testing::GpuBackend;
using testing::kGpu;
using testing::numbers;

Tensor rounded(const Tensor& x) {
  const Tensor bf16 = Tensor::empty(x.shape(), DType::kBF16), back = Tensor::empty(x.shape());
  backend().copy(x.view(), bf16.view());
  backend().copy(bf16.view(), back.view());
  return back;
}

// Some columns of a wider matrix, so that rows begin where the case wants them to.
struct Window {
  Both whole;
  int64_t first, columns;
  Window(int64_t rows, int64_t first_column, int64_t column_count, uint64_t seed, bool is_input)
      : whole({rows, first_column + column_count}, seed), first(first_column), columns(column_count) {
    if (is_input) whole.cpu = rounded(whole.cpu);
  }
  Tensor on(Device device) const {
    return (device.type == DeviceType::kCpu ? whole.cpu : whole.gpu).slice_columns(first, columns);
  }
  TensorView view(Device device) const { return on(device).view(); }
};

double length(const float* x, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * x[i];
  return std::sqrt(sum);
}

// Each stretch of `width` numbers as a vector.
void expect_close_rows(const Window& w, int64_t width, const std::string& what) {
  const auto actual = w.whole.gpu.to_vector<float>(), expected = w.whole.cpu.to_vector<float>();
  const int64_t rows = w.whole.cpu.dim(0), stride = w.whole.cpu.dim(1);
  double squares = 0;
  for (int64_t r = 0; r < rows; ++r)
    squares += std::pow(length(expected.data() + r * stride + w.first, w.columns), 2) * static_cast<double>(width);
  const double mean = std::sqrt(squares / static_cast<double>(std::max<int64_t>(rows * w.columns, 1)));
  // Without fused multiply-adds, what must be zero is not quite that on the CPU.
  const double slack = cpu_instructions().starts_with("AVX") ? 0 : 1e-6;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = w.first; c < w.first + w.columns; c += width) {
      const float *e = expected.data() + r * stride + c, *a = actual.data() + r * stride + c;
      std::vector<float> difference(static_cast<size_t>(width));
      std::transform(a, a + width, e, difference.begin(), std::minus<>());
      const double allowed = std::max(length(e, width), mean) / 128 + slack;
      ASSERT_LE(length(difference.data(), width), allowed) << what << ": row " << r << ", column " << c - w.first;
    }
}

struct Case {
  std::vector<Segment> segments;
  int heads, kv_heads, head_dim;
  bool causal;
  float dropout = 0;
  int64_t reach = 0;         // of a bias; 0: none
  int64_t first_column = 0;  // of each matrix in a wider one
};

// All that attention reads and writes, with the numbers of both devices.
struct Attention {
  Case c;
  int64_t tokens_q = tokens(&Segment::q_begin, &Segment::q_len), tokens_k = tokens(&Segment::k_begin, &Segment::k_len);
  int64_t table_rows = 2 * c.reach + 1, table_size = table_rows * c.heads;

  explicit Attention(Case of) : c(std::move(of)) {}
  int64_t tokens(int32_t Segment::*begin, int32_t Segment::*count) const {
    int64_t end = 0;
    for (const Segment& s : c.segments) end = std::max<int64_t>(end, s.*begin + s.*count);
    return end;
  }
  Window of_queries(uint64_t seed, bool input) const {
    return {tokens_q, c.first_column, int64_t{c.heads} * c.head_dim, seed, input};
  }
  Window of_keys(uint64_t seed, bool input) const {
    return {tokens_k, c.first_column, int64_t{c.kv_heads} * c.head_dim, seed, input};
  }

  Window q = of_queries(1, true), k = of_keys(2, true), v = of_keys(3, true), dy = of_queries(4, true);
  Window y = of_queries(5, false), lse{tokens_q, 0, c.heads, 6, false};
  Both bias{{table_rows, c.heads}, 7};
  Window dbias{std::ssize(c.segments), 0, table_size, 8, false};
  Window dq = of_queries(9, false), dk = of_keys(10, false), dv = of_keys(11, false);

  AttentionParams params(Device device, DType product) const {
    const float scale = 1.0f / std::sqrt(static_cast<float>(c.head_dim));
    AttentionParams p{c.heads, c.kv_heads, c.head_dim, scale, c.causal, {c.dropout, 5, 40, nullptr, nullptr}};
    if (c.reach > 0) p.bias.table = (device.type == DeviceType::kCpu ? bias.cpu : bias.gpu).view();
    p.product = product;
    return p;
  }
  void forward(Device device, DType product = DType::kBF16) const {
    backend(device).attention(q.view(device), k.view(device), v.view(device), c.segments, params(device, product),
                              y.view(device), lse.view(device));
  }
  void backward(Device device, bool accumulate, DType product = DType::kBF16) const {
    backend(device).attention_backward(q.view(device), k.view(device), v.view(device), y.view(device), lse.view(device),
                                       dy.view(device), c.segments, params(device, product), accumulate,
                                       dq.view(device), dk.view(device), dv.view(device),
                                       c.reach > 0 ? dbias.view(device) : TensorView());
  }
};

void check_attention(const Case& c) {
  const Attention a(c);
  for (const Device device : {Device{}, kGpu}) {
    a.forward(device);
    a.backward(device, false);
    a.backward(device, true);  // twice what it was
  }
  const std::string what =
      fmt::format(" of {}x{} heads of {}{}", c.heads, c.kv_heads, c.head_dim, c.causal ? " causal" : "");
  expect_close_rows(a.y, c.head_dim, "y" + what);
  expect_close(a.lse.whole, 3e-5, "lse" + what);
  expect_close_rows(a.dq, c.head_dim, "dq" + what);
  expect_close_rows(a.dk, c.head_dim, "dk" + what);
  expect_close_rows(a.dv, c.head_dim, "dv" + what);
  if (c.reach > 0) expect_close_rows(a.dbias, a.dbias.columns, "dbias" + what);
}

TEST_F(GpuBackend, RoundedAttentionOfAllSizes) {
  check_attention({{{0, 1, 0, 1, 0, 0}}, 1, 1, 32, false});
  check_attention({{{0, 70, 0, 33, 0, 0}, {70, 5, 33, 40, 0, 9}}, 2, 1, 32, false});
  check_attention({{{0, 100, 0, 100, 0, 0}}, 2, 2, 64, true});
  check_attention({{{0, 17, 0, 64, 0, 0}, {17, 64, 64, 17, 0, 0}}, 1, 1, 80, false});
  check_attention({{{0, 65, 0, 65, 0, 0}}, 1, 1, 96, true});
  check_attention({{{0, 40, 0, 130, 0, 3}}, 2, 1, 128, false});
}

TEST_F(GpuBackend, RoundedAttentionWithDropout) {
  check_attention({{{0, 40, 0, 40, 0, 3}}, 1, 1, 128, true, 0.2f});
  check_attention({{{0, 33, 0, 33, 0, 0}, {33, 31, 33, 31, 0, 1}}, 4, 2, 80, true, 0.3f});
  check_attention({{{0, 50, 0, 70, 0, 8}}, 2, 2, 64, false, 0.5f});
}

// Queries that go on after others: from the midst of dropout's blocks of eight, and from their begin.
TEST_F(GpuBackend, RoundedAttentionWithOffsets) {
  check_attention({{{0, 10, 0, 75, 65, 2}}, 2, 2, 96, true, 0.3f});
  check_attention({{{0, 70, 0, 150, 75, 2}}, 1, 1, 32, true, 0.3f});
  check_attention({{{0, 40, 0, 48, 8, 0}, {40, 9, 48, 5, 3, 1}}, 2, 1, 64, true});
  check_attention({{{0, 37, 0, 45, 5, 2}}, 1, 1, 64, false, 0.3f});
}

TEST_F(GpuBackend, RoundedAttentionWithBias) {
  check_attention({{{0, 7, 0, 50, 43, 2}, {7, 20, 50, 20, 3, 4}}, 2, 2, 64, true, 0.3f, 6});
  check_attention({{{0, 66, 0, 90, 0, 0}, {66, 3, 90, 5, 0, 0}}, 3, 3, 32, false, 0, 10});
  check_attention({{{0, 66, 0, 66, 0, 0}}, 2, 1, 128, true, 0, 200});  // reaches farther than any distance
  check_attention({{{0, 140, 0, 150, 0, 0}}, 1, 1, 32, false, 0, 16});
}

// Tiles of 128 rows, and so long segments that they are rounded before, with and without queries' sharing of keys.
TEST_F(GpuBackend, RoundedAttentionOfLongSegments) {
  check_attention({{{0, 128, 0, 120, 0, 0}, {128, 250, 120, 250, 0, 1}}, 1, 1, 64, true, 0.1f});
  check_attention({{{0, 300, 0, 300, 3, 0}}, 2, 1, 64, true, 0.1f});
  check_attention({{{0, 131, 0, 270, 0, 0}}, 1, 1, 128, false});
  check_attention({{{0, 290, 0, 260, 0, 0}}, 1, 1, 32, true, 0, 20});
}

// Without queries, without keys, and keys that belong to nobody.
TEST_F(GpuBackend, RoundedAttentionOverNothing) {
  check_attention({{{0, 0, 0, 9, 0, 0}, {0, 5, 9, 0, 0, 0}, {5, 4, 9, 4, 0, 0}}, 1, 1, 32, false});
  check_attention({{{0, 5, 0, 3, 0, 0}, {5, 3, 5, 3, 0, 1}}, 2, 2, 32, true, 0.1f});
  const Attention a({{}, 1, 1, 32, false});
  a.forward(kGpu);
  a.backward(kGpu, false);
}

// Rows that do not begin at multiples of 16 bytes, or of 8, and heads of odd sizes.
TEST_F(GpuBackend, RoundedAttentionOfWindows) {
  check_attention({{{0, 70, 0, 70, 0, 0}}, 2, 2, 64, true, 0, 0, 1});
  check_attention({{{0, 20, 0, 30, 0, 0}}, 2, 1, 40, false, 0, 0, 2});
  check_attention({{{0, 20, 0, 30, 0, 0}}, 2, 2, 33, true, 0.2f, 5, 4});
  check_attention({{{0, 20, 0, 30, 0, 0}}, 1, 1, 50, false, 0, 0, 8});
}

TEST_F(GpuBackend, RoundedAttentionRepeatsToTheBit) {
  const Attention a({{{0, 140, 0, 140, 0, 0}, {140, 90, 140, 120, 30, 1}}, 2, 1, 64, true, 0.1f, 12});
  std::vector<std::vector<float>> results;
  const Tensor other = Tensor::zeros({1}, DType::kF32, kGpu);
  for (int run = 0; run < 3; ++run) {
    a.forward(kGpu);
    a.backward(kGpu, false);
    std::vector<float> all;
    for (const Window* w : {&a.y, &a.lse, &a.dq, &a.dk, &a.dv, &a.dbias}) {
      const auto values = w->whole.gpu.to_vector<float>();
      all.insert(all.end(), values.begin(), values.end());
    }
    results.push_back(all);
    if (run == 1) gpu().fill(other.view(), 1);  // the emulation's next launches run their threads the other way round
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[1], results[2]);
}

// Alone a short segment has tiles of 64 rows, beside a long one tiles of 128 and factors rounded before.
TEST_F(GpuBackend, RoundedAttentionOfARowDoesNotDependOnOthers) {
  for (const int dim : {64, 128}) {
    const Attention a({{{0, 300, 0, 300, 0, 0}, {300, 60, 300, 60, 0, 1}}, 1, 1, dim, true, 0.1f});
    a.forward(kGpu);
    const auto y = a.y.whole.gpu.slice_rows(300, 60).to_vector<float>();
    const auto lse = a.lse.whole.gpu.slice_rows(300, 60).to_vector<float>();
    gpu().fill(a.y.whole.gpu.view(), 0);
    const Segment alone = a.c.segments[1];
    gpu().attention(a.q.view(kGpu), a.k.view(kGpu), a.v.view(kGpu), {&alone, 1}, a.params(kGpu, DType::kBF16),
                    a.y.view(kGpu), a.lse.view(kGpu));
    EXPECT_EQ(a.y.whole.gpu.slice_rows(300, 60).to_vector<float>(), y) << dim;
    EXPECT_EQ(a.lse.whole.gpu.slice_rows(300, 60).to_vector<float>(), lse) << dim;
  }
}

TEST_F(GpuBackend, AttentionRoundsWhereItMayAndHeadsAreCommon) {
  for (const auto& [dim, rounds] : {std::pair{31, false}, {32, true}, {128, true}}) {
    const Attention a({{{0, 20, 0, 20, 0, 0}}, 1, 1, dim, false});
    const auto run = [&](DType product) {
      a.forward(kGpu, product);
      a.backward(kGpu, false, product);
      return std::pair(a.y.whole.gpu.to_vector<float>(), a.dq.whole.gpu.to_vector<float>());
    };
    EXPECT_EQ(run(DType::kF32) != run(DType::kBF16), rounds) << dim;
  }
}

// A layer that hands its input on as queries, keys and values, and attention's result as its own: with projections in
// bf16, which round their input, that result is rounded once more.
TEST_F(GpuBackend, AttentionIsRoundedInTrainingAsItsProjectionsAre) {
  constexpr int64_t kModel = 32, kTokens = 20;
  nn::ParameterStore store;
  nn::Builder builder(store, 1);
  const nn::SelfAttention layer(builder, {"q", "k", "v", "o"}, {.model = kModel, .heads = 1, .scale = 0.02f}, true);
  store.flatten();
  for (const nn::NamedTensor& p : store.named()) {
    const bool matrix = p.tensor.shape().rank() > 1;
    for (int64_t i = 0; i < p.tensor.numel(); ++i) p.tensor.data<float>()[i] = matrix && i % (kModel + 1) == 0 ? 1 : 0;
  }
  store.values_changed();
  store.move_to(kGpu);
  const Tensor x = rounded(numbers({kTokens, kModel}, 1)).to(kGpu);
  const auto segments =
      std::make_shared<const std::vector<Segment>>(std::vector<Segment>{{0, kTokens, 0, kTokens, 0, 0}});
  const auto run = [&](DType dtype, bool training) {
    store.compute_in(dtype);
    nn::Pass pass;
    pass.training = training;
    return layer(x, pass, segments).to({});
  };
  const Tensor exact = run(DType::kF32, true);
  EXPECT_EQ(run(DType::kF32, false).to_vector<float>(), exact.to_vector<float>());
  EXPECT_EQ(run(DType::kBF16, false).to_vector<float>(), rounded(exact).to_vector<float>());
  EXPECT_NE(run(DType::kBF16, true).to_vector<float>(), rounded(exact).to_vector<float>());
}

}  // namespace
}  // namespace heed
