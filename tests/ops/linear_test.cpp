#include <gmock/gmock.h>

#include <thread>

#include "heed/base/error.h"
#include "heed/base/threads.h"
#include "heed/ops/composed.h"
#include "heed/ops/ops.h"
#include "heed/tensor/backends.h"
#include "ops/op_case.h"

namespace heed {
namespace {

using testing::OpCase;
using testing::run;

// x in another element type, of the same shape.
Tensor converted(const Tensor& x, DType dtype) {
  const Tensor y = Tensor::empty(x.shape(), dtype);
  backend().copy(x.view(), y.view());
  return y;
}

OpCase linear_case(int64_t rows, int64_t in, int64_t out, Activation kind, bool transposed, bool bias) {
  const auto call = [=](auto function) {
    return [=](const std::vector<Tensor>& x) {
      return function(x[0], ops::Weight(x[1], transposed), bias ? x[2] : Tensor(), kind);
    };
  };
  OpCase c{fmt::format("linear {}x{}x{} {}", rows, in, out, static_cast<int>(kind)),
           {{rows, in}, transposed ? Shape{in, out} : Shape{out, in}, {out}},
           call([](const auto&... a) { return ops::linear(a...); }),
           call(&ops::composed::linear),
           1e-4};
  c.smooth = kind != Activation::kRelu;
  return c;
}

TEST(Linear, MatchesComposedForOddSizes) {
  for (const auto kind :
       {Activation::kNone, Activation::kRelu, Activation::kGelu, Activation::kGeluTanh, Activation::kSilu})
    run(linear_case(7, 13, 17, kind, false, true));
  run(linear_case(1, 1, 1, Activation::kNone, false, true));
  run(linear_case(300, 33, 65, Activation::kRelu, false, true));
  run(linear_case(300, 33, 65, Activation::kNone, true, true));
  run(linear_case(5, 3, 2, Activation::kNone, true, false));
}

// Many rows and few weights: with several threads each sums the weight's gradient over rows of its own.
TEST(Linear, MatchesComposedForManyRows) {
  run(linear_case(1600, 12, 9, Activation::kRelu, false, true));
  run(linear_case(1600, 12, 9, Activation::kRelu, true, true));
}

TEST(Linear, DropsWhatDropoutOfTheResultDrops) {
  for (const auto kind : {Activation::kNone, Activation::kRelu, Activation::kGelu}) {
    Ragged batch;
    for (const size_t length : {3, 290, 7}) batch.append(std::vector<int32_t>(length));
    const auto site = ops::dropout_site(0.4f, 5, 2, ops::token_rows(batch, {4, 9, 1}));
    OpCase c = linear_case(300, 9, 150, kind, false, true);
    c.op = [=](const std::vector<Tensor>& x) { return ops::linear(x[0], ops::Weight(x[1]), x[2], kind, site); };
    c.reference = [=](const std::vector<Tensor>& x) {
      return ops::dropout(ops::composed::linear(x[0], ops::Weight(x[1]), x[2], kind), site);
    };
    run(c);
  }
}

// y = act(x w^T + bias + scale x a^T b^T), the adapters on some columns: first those of `first`, then, if there is
// room, the last one.
TEST(Linear, AddsWhatAdaptersGive) {
  for (const auto kind : {Activation::kNone, Activation::kRelu, Activation::kGelu})
    for (const bool transposed : {false, true})
      for (const int64_t first : {0, 2}) {
        constexpr int64_t kRows = 9, kIn = 7, kOut = 10, kRank = 3;
        const int64_t count = first == 0 ? kOut : 4;
        const auto weight_of = [=](const std::vector<Tensor>& x) {
          ops::Weight w(x[1], transposed);
          std::vector<ops::Adapter> adapters;
          adapters.push_back({first, count, ops::Weight(x[3]), ops::Weight(x[4]), 0.5f, 0, 0});
          if (first > 0) adapters.push_back({kOut - 1, 1, ops::Weight(x[3]), ops::Weight(x[5]), 2.0f, 0, 0});
          w.set_adapters(adapters);
          return w;
        };
        std::vector<Shape> inputs{
            {kRows, kIn}, transposed ? Shape{kIn, kOut} : Shape{kOut, kIn}, {kOut}, {kRank, kIn}, {count, kRank}};
        if (first > 0) inputs.push_back({1, kRank});
        OpCase c{fmt::format("adapters {} {} {}", static_cast<int>(kind), transposed, first), inputs,
                 [=](const std::vector<Tensor>& x) { return ops::linear(x[0], weight_of(x), x[2], kind); },
                 [=](const std::vector<Tensor>& x) {
                   const Tensor y = ops::composed::linear(x[0], ops::Weight(x[1], transposed), x[2], Activation::kNone);
                   const Tensor low = ops::matmul(x[0], x[3], false, true);
                   const Tensor part = ops::scale(ops::matmul(low, x[4], false, true), 0.5f);
                   std::vector<Tensor> parts{part};
                   if (first > 0) {
                     const auto zeros = [](int64_t columns) { return Tensor::zeros({kRows, columns}); };
                     parts = {zeros(first), part, zeros(kOut - 1 - first - count),
                              ops::scale(ops::matmul(low, x[5], false, true), 2.0f)};
                   }
                   const Tensor delta = parts.size() == 1 ? part : ops::concatenate_columns(parts);
                   const Tensor z = ops::add(y, delta);
                   return kind == Activation::kNone ? z : ops::activation(z, kind);
                 },
                 1e-4};
        c.smooth = kind != Activation::kRelu;
        run(c);
      }
}

// Inference takes another way to the same numbers, and a row's result does not depend on the others.
TEST(Linear, AdaptersGiveTheSameWithoutGradients) {
  const Tensor x = testing::random_tensor({50, 12}, 1), w = testing::random_tensor({20, 12}, 2);
  ops::Weight weight(w);
  weight.set_adapters({{4, 8, ops::Weight(testing::random_tensor({3, 12}, 3)),
                        ops::Weight(testing::random_tensor({8, 3}, 4)), 0.5f, 0.9f, 0}});  // dropout needs rows
  Tensor all;
  {
    const NoGrad no_grad;
    all = ops::linear(x, weight);
    for (const int64_t row : {0, 31}) {
      const Tensor one = ops::linear(x.slice_rows(row, 1), weight);
      EXPECT_EQ(one.to_vector<float>(), all.slice_rows(row, 1).to_vector<float>());
    }
  }
  Tensor leaf = x.clone();
  leaf.set_requires_grad(true);
  testing::expect_near(ops::linear(leaf, weight), all, 1e-5, "the same");
}

TEST(Linear, AdaptersDropTheirInputsByExample) {
  const Tensor x = testing::random_tensor({6, 8}, 1);
  ops::Weight weight(testing::random_tensor({5, 8}, 2)), plain(testing::random_tensor({5, 8}, 2));
  const ops::Weight a(testing::random_tensor({2, 8}, 3)), b(testing::random_tensor({5, 2}, 4));
  weight.set_adapters({{0, 5, a, b, 1.5f, 0.4f, 77}});
  Ragged batch;
  batch.append(std::vector<int32_t>(6));
  const ops::TokenRowsPtr rows = ops::token_rows(batch, {9});
  const Tensor dropped = ops::dropout(x, ops::dropout_site(0.4f, 5, 77, rows));
  const Tensor expected = ops::add(ops::linear(x, plain), ops::scale(ops::linear(ops::linear(dropped, a), b), 1.5f));
  testing::expect_near(ops::linear(x, weight, {}, Activation::kNone, {}, {5, rows}), expected, 1e-5, "dropped");
  EXPECT_NE(ops::linear(x, weight).to_vector<float>(), expected.to_vector<float>());
}

TEST(Linear, EmptyBatch) {
  const NoGrad no_grad;
  const ops::Weight w(testing::random_tensor({3, 4}, 1));
  EXPECT_EQ(ops::linear(Tensor::empty({0, 4}), w).shape().to_string(), "[0, 3]");
}

TEST(Linear, RejectsShapesThatDoNotFit) {
  const ops::Weight w(testing::random_tensor({3, 4}, 1));
  EXPECT_THROW(ops::linear(testing::random_tensor({2, 5}, 1), w), ShapeError);
  EXPECT_THROW(ops::linear(testing::random_tensor({2, 4}, 1), w, testing::random_tensor({4}, 1)), ShapeError);
}

// What inference promises: a row's bits do not depend on the rows beside it, nor on the threads.
TEST(Linear, PackedRowsAreIndependentOfTheBatch) {
  const NoGrad no_grad;
  for (const auto& [in, out] : {std::pair<int64_t, int64_t>{128, 384}, {700, 33}, {1, 5}, {64, 1000}}) {
    const ops::Weight w(testing::random_tensor({out, in}, 1));
    const Tensor bias = testing::random_tensor({out}, 2), x = testing::random_tensor({200, in}, 3);
    set_thread_count(1);
    const auto all = ops::linear(x, w, bias, Activation::kRelu).to_vector<float>();
    for (const int64_t rows : {1, 2, 3, 7, 14, 15, 64, 199}) {
      for (const int threads : {1, 2, 4}) {
        set_thread_count(threads);
        const auto some = ops::linear(x.slice_rows(1, rows), w, bias, Activation::kRelu).to_vector<float>();
        ASSERT_TRUE(std::equal(some.begin(), some.end(), all.begin() + out))
            << rows << " rows, " << threads << " threads";
      }
    }
  }
  set_thread_count(0);
}

// Weights in bf16 and f16 give what the same numbers give in f32, bit for bit: for rows alone and many, for outputs and
// inputs that fill no panel, stored either way, with values that are denormal in f32 as well.
class NarrowWeights : public ::testing::TestWithParam<DType> {};

TEST_P(NarrowWeights, GiveWhatTheyGiveWidened) {
  const NoGrad no_grad;
  for (const bool transposed : {false, true})
    for (const auto& [in, out] : {std::pair<int64_t, int64_t>{128, 384}, {700, 33}, {1, 5}, {3, 1}, {64, 1000}}) {
      const Tensor x = testing::random_tensor({130, in}, 3), bias = testing::random_tensor({out}, 2);
      const Tensor exact = testing::random_tensor(transposed ? Shape{in, out} : Shape{out, in}, 1);
      exact.data<float>()[0] = 1e-40f;
      const Tensor narrow = converted(exact, GetParam()), wide = converted(narrow, DType::kF32);
      const ops::Weight a(narrow, transposed), b(wide, transposed);
      for (const int64_t rows : {1, 2, 3, 7, 14, 15, 29, 130})
        for (const int threads : {1, 3}) {
          set_thread_count(threads);
          const auto answer = [&](const ops::Weight& w, const Tensor& add, Activation kind) {
            return ops::linear(x.slice_rows(0, rows), w, add, kind).to_vector<float>();
          };
          ASSERT_EQ(answer(a, bias, Activation::kNone), answer(b, bias, Activation::kNone))
              << in << "x" << out << ", " << rows << " rows, " << threads << " threads";
          ASSERT_EQ(answer(a, {}, Activation::kGelu), answer(b, {}, Activation::kGelu)) << in << "x" << out;
        }
    }
  set_thread_count(0);
}

TEST_P(NarrowWeights, TakeHalfTheMemory) {
  const auto bytes_of_packed = [](DType dtype) {
    const ops::Weight weight(converted(testing::random_tensor({256, 512}, 1), dtype));
    const size_t before = backend().bytes_in_use();
    const auto packed = weight.packed();
    return backend().bytes_in_use() - before;
  };
  EXPECT_EQ(bytes_of_packed(DType::kF32), size_t{4} * 256 * 512);
  EXPECT_EQ(bytes_of_packed(GetParam()), size_t{2} * 256 * 512);
}

INSTANTIATE_TEST_SUITE_P(In, NarrowWeights, ::testing::Values(DType::kBF16, DType::kF16),
                         [](const auto& tested) { return std::string(name_of(tested.param)); });

// The first of several threads that use a weight packs it and gives its master up, beside the others.
TEST(Linear, GivesTheMasterUpOnceItIsPacked) {
  const Tensor x = testing::random_tensor({5, 512}, 3), values = testing::random_tensor({256, 512}, 1);
  const ops::Weight kept(values);
  const auto answer = [&](const ops::Weight& w) {
    const NoGrad no_grad;
    return ops::linear(x, w).to_vector<float>();
  };
  const auto expected = answer(kept);
  const size_t before = backend().bytes_in_use();
  const ops::Weight weight(values.clone());
  weight.give_up_when_packed();
  EXPECT_EQ(backend().bytes_in_use() - before, size_t{4} * 256 * 512);
  std::vector<std::vector<float>> found(4);
  std::vector<std::thread> threads;
  for (auto& one : found) threads.emplace_back([&] { one = answer(weight); });
  for (std::thread& thread : threads) thread.join();
  for (const auto& one : found) EXPECT_EQ(one, expected);
  EXPECT_EQ(backend().bytes_in_use() - before, size_t{4} * 256 * 512);  // one of the two
  EXPECT_EQ(weight.out_features(), 256);
  try {
    weight.master().view();
    FAIL() << "the values are still there";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), ::testing::HasSubstr("[256, 512] were given up when it was packed"));
  }
}

TEST(Linear, PackedFollowsAnUpdate) {
  const NoGrad no_grad;
  Tensor master = testing::random_tensor({3, 4}, 1);
  const ops::Weight w(master);
  const Tensor x = testing::random_tensor({2, 4}, 2);
  const auto before = ops::linear(x, w).to_vector<float>();
  master.data<float>()[0] += 1;
  EXPECT_EQ(ops::linear(x, w).to_vector<float>(), before);
  ++master.body()->version;
  EXPECT_NE(ops::linear(x, w).to_vector<float>(), before);
}

}  // namespace
}  // namespace heed
