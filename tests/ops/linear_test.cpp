#include <gtest/gtest.h>

#include "heed/base/threads.h"
#include "heed/ops/composed.h"
#include "heed/ops/ops.h"
#include "ops/op_case.h"

namespace heed {
namespace {

using testing::run;

using testing::OpCase;

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
