#include "heed/nn/attention.h"

#include <gtest/gtest.h>

namespace heed::nn {
namespace {

TEST(KeyTable, FollowsHypothesesThroughSelection) {
  KeyTable table(2, {});
  table.append(0);  // rows 0, 1
  table.select(std::vector<int32_t>{1, 1, 0});
  table.append(2);  // rows 2, 3, 4
  ASSERT_EQ(table.rows(), 3);
  ASSERT_EQ(table.length(), 2);
  const auto slot = [&](int64_t row, int64_t t) { return table.slots().view().row<int32_t>(row)[t]; };
  EXPECT_EQ(slot(0, 0), 1);
  EXPECT_EQ(slot(2, 0), 0);
  EXPECT_EQ(slot(2, 1), 4);
  table.truncate(1);
  EXPECT_EQ(table.length(), 1);
  EXPECT_EQ(table.lengths()[2], 1);
  for (int i = 0; i < 100; ++i) table.append(5 + 3 * i);  // grows past its first capacity
  EXPECT_EQ(slot(2, 0), 0);
  EXPECT_EQ(slot(1, 100), 5 + 3 * 99 + 1);
}

TEST(KeyTable, BeginsWithPromptsOfDifferentLengths) {
  KeyTable table = KeyTable::with_prompts(std::vector<int32_t>{0, 3, 3, 5}, {});
  const auto slots = [&](int64_t row) {
    const int32_t* begin = table.slots().view().row<int32_t>(row);
    return std::vector<int32_t>(begin, begin + table.lengths()[static_cast<size_t>(row)]);
  };
  using Slots = std::vector<int32_t>;
  ASSERT_EQ(table.rows(), 3);
  EXPECT_EQ(table.length(), 0);
  EXPECT_EQ(slots(0), (Slots{0, 1, 2}));
  EXPECT_EQ(slots(1), Slots{});
  EXPECT_EQ(slots(2), (Slots{3, 4}));
  table.append(5);
  table.select(Slots{2, 0, 2});
  table.append(8);
  EXPECT_EQ(slots(0), (Slots{3, 4, 7, 8}));
  EXPECT_EQ(slots(1), (Slots{0, 1, 2, 5, 9}));
  EXPECT_EQ(slots(2), (Slots{3, 4, 7, 10}));
  EXPECT_EQ(table.length(), 2);
  table.truncate(1);
  EXPECT_EQ(slots(1), (Slots{0, 1, 2, 5}));
  for (int i = 0; i < 100; ++i) table.append(20 + 3 * i);
  EXPECT_EQ(slots(1).size(), 104u);
  EXPECT_EQ(slots(1)[4], 21);
}

TEST(KeyTable, SelectsByATensorToo) {
  KeyTable table(3, {});
  table.append(0);
  table.select(Tensor::from(std::vector<int32_t>{2, 2, 1}, {3}));
  table.append(3);
  EXPECT_EQ(table.keys().table.row<int32_t>(0)[0], 2);
  EXPECT_EQ(table.keys().table.row<int32_t>(2)[0], 1);
  EXPECT_EQ(table.keys().table.row<int32_t>(2)[1], 5);
  EXPECT_EQ(table.keys().lengths.as<int32_t>()[1], 2);
  EXPECT_THROW(table.select(Tensor::from(std::vector<int32_t>{0}, {1})), ShapeError);
}

TEST(KeyValueCache, KeepsRowsWhileGrowing) {
  KeyValueCache cache;
  for (int i = 0; i < 50; ++i) EXPECT_EQ(cache.append(Tensor::full({2, 3}, i), Tensor::full({2, 3}, -i)), 2 * i);
  EXPECT_EQ(cache.keys().row<float>(41)[2], 20);
  EXPECT_EQ(cache.values().row<float>(99)[0], -49);
  EXPECT_EQ(cache.values().cols(), 3);
}

}  // namespace
}  // namespace heed::nn
