#include <gtest/gtest.h>

#include <cmath>

#include "heed/ops/composed.h"
#include "ops/op_case.h"

namespace heed {
namespace {

ops::Rotation rotation(int64_t places, int64_t head_dim, const std::vector<int32_t>& positions) {
  std::vector<float> table;
  for (int64_t p = 0; p < places; ++p)
    for (int64_t c = 0; c < head_dim; ++c) {
      const double angle = static_cast<double>(p) * std::pow(100.0, -static_cast<double>(c % (head_dim / 2)));
      table.push_back(static_cast<float>(c < head_dim / 2 ? std::cos(angle) : std::sin(angle)));
    }
  return {Tensor::from(table, {places, head_dim}), Tensor::from(positions, {static_cast<int64_t>(positions.size())})};
}

TEST(Rope, EqualsTheComposedOne) {
  for (const int64_t head_dim : {2, 6, 8, 34, 64})
    for (const int64_t heads : {1, 3}) {
      const auto turn = rotation(9, head_dim, {0, 1, 8, 3, 3});
      testing::run({"rope",
                    {{5, heads * head_dim}},
                    [=](const std::vector<Tensor>& x) { return ops::rope(x[0], turn); },
                    [=](const std::vector<Tensor>& x) { return ops::composed::rope(x[0], turn); }});
    }
}

TEST(Rope, OfPartOfAnArray) {  // queries and keys are turned, the values beside them are not
  const auto turn = rotation(4, 6, {3, 0, 2});
  const auto with = [=](auto rope) {
    return [=](const std::vector<Tensor>& x) {
      return ops::concatenate_columns({rope(x[0].slice_columns(0, 12), turn), x[0].slice_columns(12, 6)});
    };
  };
  testing::run({"rope of a part", {{3, 18}}, with(&ops::rope), with(&ops::composed::rope)});
}

TEST(Rope, InnerProductsDependOnTheDistance) {
  const Tensor x = testing::random_tensor({1, 8}, 1), y = testing::random_tensor({1, 8}, 2);
  const auto product = [&](int32_t p, int32_t q) {
    const Tensor a = ops::rope(x, rotation(20, 8, {p})), b = ops::rope(y, rotation(20, 8, {q}));
    return ops::sum(ops::multiply(a, b)).item();
  };
  EXPECT_NEAR(product(2, 7), product(12, 17), 1e-4);
  EXPECT_GT(std::abs(product(2, 7) - product(2, 8)), 1e-3);
}

TEST(Rope, RefusesWhatDoesNotFit) {
  const Tensor x = testing::random_tensor({2, 12}, 1);
  EXPECT_THROW(ops::rope(x, rotation(4, 8, {0, 1})), ShapeError);
  EXPECT_THROW(ops::rope(x, rotation(4, 6, {0})), ShapeError);
  EXPECT_THROW(ops::rope(x, rotation(4, 6, {0, 4})), ShapeError);
  EXPECT_THROW(ops::rope(x, rotation(4, 6, {0, -1})), ShapeError);
  EXPECT_THROW(ops::rope(x, rotation(4, 3, {0, 1})), ShapeError);
  EXPECT_EQ(ops::rope(x, {}).body(), x.body());
  EXPECT_EQ(ops::rope(Tensor::empty({0, 12}), rotation(4, 6, {})).dim(0), 0);
}

}  // namespace
}  // namespace heed
