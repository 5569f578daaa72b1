// Attention of activations in bf16, on a GPU's tensor cores, against the CPU's in f32.
//
// Both get the same numbers: what is left between them is the rounding of probabilities, of their gradients and of the
// results, 2^-8 of each at most, independently of one another. What a row sums may cancel where the errors do not, so a
// row differs by about 2^-9 of the length that rows have in the mean; 2^-7 is allowed. Gradients of queries and of keys
// also have the rounding of y in them, which all that a row sees shares: 2^-5.
#include <algorithm>
#include <functional>
#include <vector>

#include "cuda/gpu_backend.h"
#include "heed/nn/attention.h"

namespace heed {
namespace {

using testing::as_type;
using testing::Both;
using testing::expect_close;
using testing::GpuBackend;
using testing::kGpu;
using testing::numbers;
using testing::rounded;
using testing::values_of;

// Some columns of a wider matrix, so that rows begin where the case wants them to.
struct Window {
  Both whole;
  int64_t first, columns;
  // kBF16: activations.
  Window(int64_t rows, int64_t first_column, int64_t column_count, uint64_t seed, DType dtype)
      : whole(rounded(numbers({rows, first_column + column_count}, seed))), first(first_column), columns(column_count) {
    whole.gpu = as_type(whole.gpu, dtype);
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
void expect_close_rows(const Window& w, int64_t width, const std::string& what, double share = 1.0 / 128) {
  const auto actual = values_of(w.whole.gpu), expected = values_of(w.whole.cpu);
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
      const double allowed = std::max(length(e, width), mean) * share + slack;
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
  DType kept = DType::kBF16;  // of activations on the GPU
  int64_t tokens_q = tokens(&Segment::q_begin, &Segment::q_len), tokens_k = tokens(&Segment::k_begin, &Segment::k_len);
  int64_t table_rows = 2 * c.reach + 1, table_size = table_rows * c.heads;

  explicit Attention(Case of, DType dtype = DType::kBF16) : c(std::move(of)), kept(dtype) {}
  int64_t tokens(int32_t Segment::*begin, int32_t Segment::*count) const {
    int64_t end = 0;
    for (const Segment& s : c.segments) end = std::max<int64_t>(end, s.*begin + s.*count);
    return end;
  }
  Window of_queries(uint64_t seed) const {
    return {tokens_q, c.first_column, int64_t{c.heads} * c.head_dim, seed, kept};
  }
  Window of_keys(uint64_t seed) const {
    return {tokens_k, c.first_column, int64_t{c.kv_heads} * c.head_dim, seed, kept};
  }

  Window q = of_queries(1), k = of_keys(2), v = of_keys(3), dy = of_queries(4), y = of_queries(5);
  Window lse{tokens_q, 0, c.heads, 6, DType::kF32};
  Both bias{{table_rows, c.heads}, 7};
  Window dbias{std::ssize(c.segments), 0, table_size, 8, DType::kF32};
  Window dq = of_queries(9), dk = of_keys(10), dv = of_keys(11);

  AttentionParams params(Device device) const {
    const float scale = 1.0f / std::sqrt(static_cast<float>(c.head_dim));
    AttentionParams p{c.heads, c.kv_heads, c.head_dim, scale, c.causal, {c.dropout, 5, 40, nullptr, nullptr}};
    if (c.reach > 0) p.bias.table = (device.type == DeviceType::kCpu ? bias.cpu : bias.gpu).view();
    return p;
  }
  void forward(Device device) const {
    backend(device).attention(q.view(device), k.view(device), v.view(device), c.segments, params(device),
                              y.view(device), lse.view(device));
  }
  void backward(Device device, bool accumulate) const {
    backend(device).attention_backward(q.view(device), k.view(device), v.view(device), y.view(device), lse.view(device),
                                       dy.view(device), c.segments, params(device), accumulate, dq.view(device),
                                       dk.view(device), dv.view(device),
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
  expect_close_rows(a.dq, c.head_dim, "dq" + what, 1.0 / 32);
  expect_close_rows(a.dk, c.head_dim, "dk" + what, 1.0 / 32);
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

// Tiles of 128 rows, with and without queries' sharing of keys.
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
      const auto values = values_of(w->whole.gpu);
      all.insert(all.end(), values.begin(), values.end());
    }
    results.push_back(all);
    if (run == 1) gpu().fill(other.view(), 1);  // the emulation's next launches run their threads the other way round
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[1], results[2]);
}

// Alone a short segment has tiles of 64 rows, beside a long one tiles of 128.
TEST_F(GpuBackend, RoundedAttentionOfARowDoesNotDependOnOthers) {
  for (const int dim : {64, 128}) {
    const Attention a({{{0, 300, 0, 300, 0, 0}, {300, 60, 300, 60, 0, 1}}, 1, 1, dim, true, 0.1f});
    a.forward(kGpu);
    const auto y = values_of(a.y.whole.gpu.slice_rows(300, 60));
    const auto lse = a.lse.whole.gpu.slice_rows(300, 60).to_vector<float>();
    gpu().fill(a.y.whole.gpu.view(), 0);
    const Segment alone = a.c.segments[1];
    gpu().attention(a.q.view(kGpu), a.k.view(kGpu), a.v.view(kGpu), {&alone, 1}, a.params(kGpu), a.y.view(kGpu),
                    a.lse.view(kGpu));
    EXPECT_EQ(values_of(a.y.whole.gpu.slice_rows(300, 60)), y) << dim;
    EXPECT_EQ(a.lse.whole.gpu.slice_rows(300, 60).to_vector<float>(), lse) << dim;
  }
}

// Heads of other sizes are computed in f32, and only the results are rounded.
TEST_F(GpuBackend, RoundedAttentionOfOtherHeadsIsExactInside) {
  check_attention({{{0, 20, 0, 20, 0, 0}, {20, 9, 20, 30, 0, 1}}, 2, 1, 31, true, 0.2f, 5});
  check_attention({{{0, 20, 0, 20, 0, 0}}, 2, 2, 8, false});
  check_attention({{{0, 5, 0, 3, 0, 0}, {5, 3, 5, 3, 0, 1}}, 1, 1, 16, true});  // keys of nobody
  for (const auto& [dim, exact] : {std::pair{31, true}, {32, false}, {128, false}}) {
    const Case c{{{0, 20, 0, 20, 0, 0}}, 1, 1, dim, false};
    const Attention narrow(c), wide(c, DType::kF32);
    narrow.forward(kGpu);
    wide.forward(kGpu);
    EXPECT_EQ(values_of(narrow.y.whole.gpu) == values_of(rounded(wide.y.whole.gpu)), exact) << dim;
    EXPECT_EQ(values_of(narrow.lse.whole.gpu) == values_of(wide.lse.whole.gpu), exact) << dim;
  }
}

// What is recorded is kept as products are rounded, what is not is exact.
TEST_F(GpuBackend, LayersKeepActivationsInBf16OnlyToTrain) {
  constexpr int64_t kModel = 32, kTokens = 20;
  nn::ParameterStore store;
  nn::Builder builder(store, 1);
  const nn::SelfAttention layer(builder, {"q", "k", "v", "o"}, {.model = kModel, .heads = 1, .scale = 0.02f}, true);
  store.flatten();
  store.move_to(kGpu);
  const Tensor x = rounded(numbers({kTokens, kModel}, 1)).to(kGpu);
  const auto segments =
      std::make_shared<const std::vector<Segment>>(std::vector<Segment>{{0, kTokens, 0, kTokens, 0, 0}});
  const auto run = [&](DType product) {
    store.compute_in(product);
    return layer(x, {}, segments);
  };
  const auto unrecorded = [&](DType product) {
    const NoGrad no_grad;
    return values_of(run(product));
  };
  EXPECT_EQ(unrecorded(DType::kBF16), unrecorded(DType::kF32));
  const Tensor exact = run(DType::kF32), narrow = run(DType::kBF16);
  EXPECT_EQ(exact.dtype(), DType::kF32);
  EXPECT_EQ(narrow.dtype(), DType::kBF16);
  EXPECT_NE(values_of(narrow), values_of(rounded(exact)));
  expect_close(narrow, exact.to({}), 1e-1, "a layer");
}

}  // namespace
}  // namespace heed
