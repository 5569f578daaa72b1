#include "heed/base/ragged.h"

#include <gmock/gmock.h>

namespace heed {
namespace {

using ::testing::ElementsAre;

TEST(Ragged, RowsComeBackAsAppended) {
  Ragged ragged;
  EXPECT_EQ(ragged.rows(), 0);
  ragged.append(std::vector<int32_t>{5, 6});
  ragged.append({});
  ragged.append(std::vector<int32_t>{7});
  EXPECT_EQ(ragged.rows(), 3);
  EXPECT_THAT(ragged.row(0), ElementsAre(5, 6));
  EXPECT_THAT(ragged.row(1), ElementsAre());
  EXPECT_THAT(ragged.row(2), ElementsAre(7));
  EXPECT_THAT(ragged.ids, ElementsAre(5, 6, 7));
  EXPECT_THAT(ragged.offsets, ElementsAre(0, 2, 2, 3));
}

TEST(Ragged, ComparesRowsNotJustIds) {
  Ragged one, two;
  one.append(std::vector<int32_t>{1, 2});
  two.append(std::vector<int32_t>{1});
  two.append(std::vector<int32_t>{2});
  EXPECT_NE(one, two);
}

}  // namespace
}  // namespace heed
