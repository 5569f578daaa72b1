// The arithmetic that kernels on a GPU do element by element, against the CPU's backend and plain references.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "heed/base/random.h"
#include "heed/cuda/attention-device.h"
#include "heed/cuda/dropout-device.h"
#include "heed/cuda/math-device.h"
#include "heed/cuda/size_class.h"
#include "heed/cuda/top_k-device.h"
#include "heed/ops/ops.h"
#include "heed/tensor/backends.h"

namespace heed::cuda {
namespace {

std::vector<float> normal_numbers(size_t count, uint64_t seed) {
  Random random(seed);
  std::vector<float> values(count);
  for (float& v : values) v = static_cast<float>(random.normal());
  return values;
}

TEST(DeviceCode, DropoutDrawsWhatTheCpuDraws) {
  for (const int64_t cols : {1, 16, 100, 128, 300, 1024}) {
    const int64_t rows = 5;
    const std::vector<uint32_t> example{3, 3, 1u << 31, 7, 0};
    const std::vector<int32_t> position{0, 1, 9, 1000, 2};
    const Dropout dropout{0.3f, 0x123456789ABCDEFull, 41, example.data(), position.data()};
    const Tensor ones = Tensor::full({rows, cols}, 1), y = Tensor::empty({rows, cols});
    backend().dropout(ones.view(), dropout, false, y.view());
    const std::vector<float> expected = y.to_vector<float>();
    const DropoutSpec spec(dropout);
    std::vector<float> actual(expected.size(), -1);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t unit = 0; unit < units_of(cols); ++unit)
        for (int j = 0; j < kUnitChannels; ++j)
          if (const int64_t c = unit_channel(unit, j); c < cols)
            actual[static_cast<size_t>(r * cols + c)] = spec.unit(r, unit)[j];
    EXPECT_EQ(actual, expected) << cols;
  }
}

TEST(DeviceCode, DropoutCountsRowsWhereNobodyNamesThem) {
  const Dropout dropout{0.5f, 5, 2, nullptr, nullptr};
  const Tensor ones = Tensor::full({4, 128}, 1), y = Tensor::empty({4, 128});
  backend().dropout(ones.view(), dropout, false, y.view());
  const DropoutSpec spec(dropout);
  for (int64_t r = 0; r < 4; ++r)
    for (int64_t unit = 0; unit < 16; ++unit)
      for (int j = 0; j < kUnitChannels; ++j)
        EXPECT_EQ(spec.unit(r, unit)[j], y.data<float>()[r * 128 + unit_channel(unit, j)]);
}

// The CPU's attention over values that are the unit matrix gives the probabilities, dropped.
TEST(DeviceCode, DropoutOfAttentionDrawsWhatTheCpuDraws) {
  constexpr int kQueries = 21, kKeys = 19, kHeads = 2;
  const Segment segment{0, kQueries, 0, kKeys, 5, 77};
  AttentionParams p{kHeads, kHeads, kKeys, 1, false, {0.4f, 99, 13, nullptr, nullptr}};
  const Tensor q = Tensor::zeros({kQueries, kHeads * kKeys}), k = Tensor::zeros({kKeys, kHeads * kKeys});
  const Tensor v = Tensor::zeros({kKeys, kHeads * kKeys}), y = Tensor::empty({kQueries, kHeads * kKeys});
  for (int h = 0; h < kHeads; ++h)
    for (int i = 0; i < kKeys; ++i) v.data<float>()[i * kHeads * kKeys + h * kKeys + i] = 1;
  backend().attention(q.view(), k.view(), v.view(), {&segment, 1}, p, y.view(), {});
  const DropoutSpec spec(p.dropout);
  for (int h = 0; h < kHeads; ++h)
    for (int i = 0; i < kQueries; ++i)
      for (int key = 0; key < kKeys; ++key) {
        const int query = segment.q_offset + i;
        const DropoutFactors factors = spec.attention(segment.example, h, query / 8, key);
        EXPECT_NEAR(y.data<float>()[(i * kHeads + h) * kKeys + key] * kKeys, factors[query % 8], 1e-5);
        EXPECT_EQ(factors.kept() >> query % 8 & 1, factors[query % 8] != 0);
      }
}

TEST(DeviceCode, ActivationsMatchTheCpu) {
  std::vector<float> x = normal_numbers(1000, 1);
  for (const float extreme : {0.0f, -0.0f, 30.0f, -30.0f, 100.0f, -100.0f, 1e-8f}) x.push_back(extreme);
  const Tensor in = Tensor::from(x, {std::ssize(x)}), out = Tensor::empty(in.shape());
  const Tensor ones = Tensor::full(in.shape(), 1), slope = Tensor::empty(in.shape());
  for (const Activation kind : {Activation::kNone, Activation::kRelu, Activation::kGelu, Activation::kGeluTanh,
                                Activation::kSilu, Activation::kTanh}) {
    backend().activation(in.view(), kind, out.view());
    backend().activation_backward(in.view(), ones.view(), kind, false, slope.view());
    for (size_t i = 0; i < x.size(); ++i) {
      const auto tolerance = [](float value) { return 2e-6f * (1 + std::abs(value)); };
      const float a = out.data<float>()[i], s = slope.data<float>()[i];
      EXPECT_NEAR(activate(kind, x[i]), a, tolerance(a)) << static_cast<int>(kind) << " of " << x[i];
      EXPECT_NEAR(activation_slope(kind, x[i]), s, tolerance(s)) << static_cast<int>(kind) << " at " << x[i];
    }
  }
}

TEST(DeviceCode, SixteenBitTypesRoundAsOnTheCpu) {
  std::vector<float> values = normal_numbers(2000, 3);
  for (int e = -30; e <= 18; ++e)
    for (const float m : {1.0f, 1.0004883f, 1.00048828125f, 1.5f, 1.9998f, 1.99999f})
      for (const float sign : {1.0f, -1.0f}) values.push_back(sign * std::ldexp(m, e));
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float v : {0.0f, -0.0f, 65504.0f, 65519.0f, 65520.0f, 1e30f, infinity, -infinity}) values.push_back(v);
  for (const float v : values) {
    EXPECT_EQ(bf16_bits(v), BFloat16(v).bits) << v;
    EXPECT_EQ(f16_bits(v), Float16(v).bits) << v;
  }
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(float_of_bf16(bf16_bits(nan))) && std::isnan(float_of_f16(f16_bits(nan))));
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    Float16 half;
    half.bits = static_cast<uint16_t>(bits);
    const auto expected = static_cast<float>(half), actual = float_of_f16(half.bits);
    EXPECT_TRUE(bits_of_float(actual) == bits_of_float(expected) || (std::isnan(actual) && std::isnan(expected)))
        << bits;
  }
}

TEST(DeviceCode, AdamStepIsTheCpusToTheBit) {
  constexpr int64_t kCount = 64;
  for (const bool decoupled : {true, false})
    for (const int64_t step : {1, 7}) {
      const AdamParams params{0.01f, 0.9f, 0.98f, 1e-9f, 0.1f, decoupled, 0.7f, step};
      auto w = normal_numbers(kCount, 1), g = normal_numbers(kCount, 2), m = normal_numbers(kCount, 3);
      auto v = normal_numbers(kCount, 4);
      for (float& x : v) x = std::abs(x);
      const auto tensor = [](const std::vector<float>& x) { return Tensor::from(x, {kCount}); };
      const Tensor tw = tensor(w), tg = tensor(g), tm = tensor(m), tv = tensor(v);
      const std::vector<AdamRun> all{{0, kCount}};
      backend().adam(tw.view(), tg.view(), tm.view(), tv.view(), all, params);
      const AdamStep update(params, all.front());
      for (size_t i = 0; i < kCount; ++i) update(g[i], w[i], m[i], v[i]);
      const bool fused = cpu_instructions().starts_with("AVX");  // others multiply and add apart
      for (size_t i = 0; i < kCount; ++i) {
        EXPECT_NEAR(w[i], tw.data<float>()[i], fused ? 0 : 1e-6f);
        EXPECT_NEAR(m[i], tm.data<float>()[i], fused ? 0 : 1e-6f);
        EXPECT_NEAR(v[i], tv.data<float>()[i], fused ? 0 : 1e-6f);
      }
    }
}

// As top_k.cu does it, its threads one after the other.
template <int kFew>
std::vector<Candidate> select(const std::vector<float>& x, int k, int threads) {
  const auto n = static_cast<int32_t>(x.size());
  std::vector<BestFew<kFew>> best(static_cast<size_t>(threads));
  std::vector<Candidate> chosen;
  for (int t = 0; t < threads; ++t) best[static_cast<size_t>(t)].fill(x.data(), t, threads, n, {0, -1});
  while (static_cast<int>(chosen.size()) < k) {
    const auto top = std::max_element(best.begin(), best.end(),
                                      [](const auto& a, const auto& b) { return is_better(b.best(), a.best()); });
    if (top->empty()) break;
    chosen.push_back(top->best());
    top->take_out_best();
    if (top->empty()) top->fill(x.data(), static_cast<int32_t>(top - best.begin()), threads, n, chosen.back());
  }
  return chosen;
}

TEST(DeviceCode, TopKIsAStableSort) {
  std::vector<float> x = normal_numbers(100, 5);
  for (size_t i = 0; i < x.size(); i += 3) x[i] = std::round(x[i]);  // ties
  x[10] = -std::numeric_limits<float>::infinity();
  x[20] = std::numeric_limits<float>::quiet_NaN();
  std::vector<int32_t> order;
  for (int32_t i = 0; i < 100; ++i)
    if (i != 10 && i != 20) order.push_back(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](int32_t a, int32_t b) { return x[static_cast<size_t>(a)] > x[static_cast<size_t>(b)]; });
  for (const int threads : {1, 32, 64, 128})
    for (const auto& chosen : {select<1>(x, 100, threads), select<4>(x, 100, threads)}) {
      ASSERT_EQ(chosen.size(), order.size()) << threads;
      for (size_t i = 0; i < order.size(); ++i) EXPECT_EQ(chosen[i].index, order[i]) << threads;
    }
}

TEST(DeviceCode, VisibleKeysAndFirstQueriesAgree) {
  for (const int offset : {0, 3, 40})
    for (const bool causal : {false, true}) {
      const Segment s{0, 17, 0, 23, offset, 0};
      for (int key = 0; key < s.k_len; ++key) {
        int first = s.q_len;
        for (int i = s.q_len - 1; i >= 0; --i)
          if (key < visible_keys(s, causal, i)) first = i;
        EXPECT_EQ(first_query_of(s, causal, key), first) << offset << " " << key;
      }
      for (int i = 0; i < s.q_len; ++i)
        EXPECT_EQ(visible_keys(s, causal, i), causal ? std::min(offset + i + 1, s.k_len) : s.k_len);
    }
}

TEST(DeviceCode, BiasRowsEndAtTheTablesEnds) {
  EXPECT_EQ(bias_row(4, 0), 4);
  EXPECT_EQ(bias_row(4, 3), 7);
  EXPECT_EQ(bias_row(4, -4), 0);
  EXPECT_EQ(bias_row(4, -100), 0);
  EXPECT_EQ(bias_row(4, 100), 8);
  EXPECT_EQ(bias_row(0, 7), 0);
}

TEST(DeviceCode, TilesCoverEachSegmentOnce) {
  const std::vector<Segment> segments{{0, 5, 0, 9, 0, 0}, {5, 0, 9, 3, 0, 0}, {5, 64, 12, 0, 0, 0}};
  std::vector<int32_t> ends;
  const auto queries = make_tiles(segments, true, 4, &ends), keys = make_tiles(segments, false, 4);
  EXPECT_EQ(ends, (std::vector<int32_t>{2, 2, 18}));
  EXPECT_EQ(queries.size(), 18u);
  EXPECT_EQ(queries[1].first, 4);
  EXPECT_EQ(queries[2].segment, 2);
  ASSERT_EQ(keys.size(), 4u);
  EXPECT_EQ(keys[2].first, 8);
  EXPECT_EQ(keys[3].segment, 1);
}

TEST(DeviceCode, SizeClassesHoldWhatIsWantedAndWasteLittle) {
  size_t last = 0;
  for (size_t bytes = 0; bytes < (size_t{1} << 40); bytes = bytes * 9 / 8 + 17) {
    const SizeClass size = size_class(bytes);
    EXPECT_GE(size.bytes, bytes);
    EXPECT_LE(static_cast<double>(size.bytes), std::max(512.0, 1.125 * static_cast<double>(bytes) + 1));
    EXPECT_GE(size.index, last);
    EXPECT_LT(size.index, kSizeClasses);
    EXPECT_EQ(size_class(size.bytes).index, size.index);
    last = size.index;
  }
}

}  // namespace
}  // namespace heed::cuda
