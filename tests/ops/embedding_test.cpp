#include <gtest/gtest.h>

#include "heed/ops/ops.h"
#include "heed/tensor/backends.h"
#include "ops/op_case.h"

namespace heed {
namespace {

using testing::run;

Ragged batch() {
  Ragged b;
  b.append(std::vector<int32_t>{1, 0, 3, 1});
  b.append(std::vector<int32_t>{2});
  b.append(std::vector<int32_t>{});
  b.append(std::vector<int32_t>{3, 3});
  return b;
}

// A product with one-hot rows.
Tensor by_one_hot(const Tensor& table, const Tensor& positions, float scale) {
  const Ragged b = batch();
  const auto rows = ops::token_rows(b);
  std::vector<float> ids(static_cast<size_t>(b.tokens() * 5)), places(static_cast<size_t>(b.tokens() * 4));
  for (size_t i = 0; i < b.ids.size(); ++i) {
    ids[i * 5 + static_cast<size_t>(b.ids[i])] = scale;
    places[i * 4 + static_cast<size_t>(rows->position[i])] = 1;
  }
  return ops::add(ops::matmul(Tensor::from(ids, {b.tokens(), 5}), table),
                  ops::matmul(Tensor::from(places, {b.tokens(), 4}), positions));
}

TEST(Embedding, MatchesOneHotProduct) {
  for (const int64_t model : {1, 7, 128, 200}) {
    run({"embedding",
         {{5, model}, {4, model}},
         [](const auto& x) {
           const Ragged b = batch();
           return ops::embedding(Tensor::from(b.ids, {b.tokens()}), x[0], 3, ops::token_rows(b), x[1], {});
         },
         [](const auto& x) { return by_one_hot(x[0], x[1], 3); }});
  }
}

// Tables in bf16 and f16, one or both, give what the same numbers give in f32.
class NarrowTables : public ::testing::TestWithParam<DType> {};

TEST_P(NarrowTables, GiveWhatTheyGiveWidened) {
  const Ragged b = batch();
  const Tensor ids = Tensor::from(b.ids, {b.tokens()});
  for (const int64_t model : {1, 7, 16, 128, 203}) {
    std::vector<Tensor> narrow, wide;
    for (const Tensor& exact : {testing::random_tensor({5, model}, 1), testing::random_tensor({4, model}, 2)}) {
      narrow.push_back(Tensor::empty(exact.shape(), GetParam()));
      wide.push_back(Tensor::empty(exact.shape()));
      backend().copy(exact.view(), narrow.back().view());
      backend().copy(narrow.back().view(), wide.back().view());
    }
    const auto look_up = [&](const Tensor& table, const Tensor& positions) {
      return ops::embedding(ids, table, 3, ops::token_rows(b), positions, {}).to_vector<float>();
    };
    const auto expected = look_up(wide[0], wide[1]);
    EXPECT_EQ(look_up(narrow[0], narrow[1]), expected) << model;
    EXPECT_EQ(look_up(narrow[0], wide[1]), expected) << model;
    EXPECT_EQ(look_up(wide[0], narrow[1]), expected) << model;
    EXPECT_EQ(look_up(narrow[0], {}), look_up(wide[0], {})) << model;
  }
}

INSTANTIATE_TEST_SUITE_P(In, NarrowTables, ::testing::Values(DType::kBF16, DType::kF16),
                         [](const auto& tested) { return std::string(name_of(tested.param)); });

// A table that products read, too: once it is given up, its rows are those of the packed form, which lies in the
// table's own memory if nobody else reads that.
TEST(Embedding, RowsOfAPackedWeight) {
  const Ragged b = batch();
  const Tensor ids = Tensor::from(b.ids, {b.tokens()}), positions = testing::random_tensor({4, 37}, 2),
               x = testing::random_tensor({3, 37}, 3);
  const auto look_up = [&](const auto& from) {
    const Tensor y = ops::embedding(ids, from, 3, ops::token_rows(b), positions, {});
    return y.to_vector<float>();
  };
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16})
    for (const int64_t rows : {5, 32, 70})
      for (const bool alone : {false, true}) {
        const Tensor table = Tensor::empty({rows, 37}, dtype);
        backend().copy(testing::random_tensor({rows, 37}, 1).view(), table.view());
        auto storage = alone ? Tensor::empty({96, 37}, dtype).body()->storage : table.body()->storage;
        const ops::Weight weight{Tensor::on_storage(std::move(storage), 0, table.shape(), dtype)};
        backend().copy(table.view(), weight.master().view());
        weight.give_up_when_packed();
        EXPECT_EQ(look_up(weight), look_up(table));
        const size_t before = backend().bytes_in_use();
        weight.packed();
        EXPECT_EQ(backend().bytes_in_use() == before, alone);
        EXPECT_EQ(weight.master().body()->storage, nullptr);
        EXPECT_EQ(look_up(weight), look_up(table)) << rows << " rows of " << name_of(dtype);
        EXPECT_EQ(ops::linear(x, weight).to_vector<float>(), ops::linear(x, ops::Weight(table)).to_vector<float>());
        Ragged beyond;
        beyond.append(std::vector<int32_t>{static_cast<int32_t>(rows)});
        EXPECT_THROW(ops::embedding(Tensor::from(beyond.ids, {1}), weight, 1, ops::token_rows(beyond), {}, {}),
                     ShapeError);
      }
}

// Who still reads the table when it is packed reads on: the packed form then lies elsewhere.
TEST(Embedding, RowsThatAreReadStayWhenTheirWeightIsPacked) {
  const Tensor values = testing::random_tensor({64, 37}, 1);
  const ops::Weight weight(values.clone());
  weight.give_up_when_packed();
  const Tensor held = weight.rows().master;
  weight.packed();
  EXPECT_FALSE(weight.rows().master.defined());
  EXPECT_EQ(held.to_vector<float>(), values.to_vector<float>());
}

TEST(Embedding, DropoutAndPadding) {
  const Ragged b = batch();
  const auto rows = ops::token_rows(b, {4, 8, 15, 16});
  run({"embedding with dropout",
       {{5, 150}},
       [=](const auto& x) {
         return ops::embedding(Tensor::from(b.ids, {b.tokens()}), x[0], 2, rows, {},
                               ops::dropout_site(0.3f, 1, 2, rows));
       },
       {}});
  Tensor table = testing::random_tensor({5, 6}, 1).set_requires_grad(true);
  backward(ops::sum(ops::embedding(Tensor::from(b.ids, {b.tokens()}), table, 1, rows, {}, {}, 3)));
  const auto grad = table.grad().to_vector<float>();
  EXPECT_EQ(grad[3 * 6], 0);  // the padding row
  EXPECT_EQ(grad[1 * 6], 2);  // two look-ups
}

TEST(Embedding, RejectsIdsAndPositionsOutOfRange) {
  Ragged b;
  b.append(std::vector<int32_t>{0, 5});
  const Tensor table = testing::random_tensor({5, 6}, 1), ids = Tensor::from(b.ids, {2});
  EXPECT_THROW(ops::embedding(ids, table, 1, ops::token_rows(b), {}, {}), ShapeError);
  b.ids = {0, 1};
  EXPECT_THROW(
      ops::embedding(Tensor::from(b.ids, {2}), table, 1, ops::token_rows(b), testing::random_tensor({1, 6}, 1), {}),
      ShapeError);
}

}  // namespace
}  // namespace heed
