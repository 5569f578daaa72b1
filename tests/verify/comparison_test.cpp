#include "heed/verify/comparison.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace heed::verify {
namespace {

TEST(Comparer, TakesTheLargestErrorAndReference) {
  Comparer c("x");
  c.add(1.5, 1);
  c.add(-3, -4);
  const Difference d = c.finish({0.1, 0.25});
  EXPECT_EQ(d.absolute, 1);
  EXPECT_EQ(d.largest, 4);
  EXPECT_EQ(d.relative(), 0.25);
  EXPECT_DOUBLE_EQ(d.bound, 1.1);
  EXPECT_TRUE(d.within());
}

TEST(Comparer, WhatIsNoNumberIsOffByInfinity) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  const auto error = [](double actual, double reference) {
    Comparer c("x");
    c.add(actual, reference);
    return c.finish({1, 1}).absolute;
  };
  EXPECT_EQ(error(nan, 1), infinity);
  EXPECT_EQ(error(1, nan), infinity);
  EXPECT_EQ(error(infinity, 1), infinity);
  EXPECT_EQ(error(-infinity, infinity), infinity);
  EXPECT_EQ(error(nan, nan), 0);
  EXPECT_EQ(error(infinity, infinity), 0);
}

TEST(Check, NamesTheFirstThatLeavesItsBound) {
  const auto difference = [](const char* name, double error) { return Difference{name, error, 1, 0.5, 1}; };
  const Check check = numbers("states", "inference",
                              {difference("states.0", 0.1), difference("states.1", 0.6), difference("states.2", 7)});
  EXPECT_EQ(check.status, Status::kFail);
  EXPECT_NE(check.note.find("states.1"), std::string::npos);
  EXPECT_EQ(check.worst()->name, "states.2");
}

TEST(CompareRows, LooksAtRealPositionsOnly) {
  const Tensor actual = Tensor::from(std::vector<float>{1, 2, 3}, {3, 1});
  const Tensor reference = Tensor::from(std::vector<float>{1, 2, 3, 99}, {2, 2, 1});
  Ragged layout;
  layout.append(std::vector<int32_t>{0, 0});
  layout.append(std::vector<int32_t>{0});
  const Difference d = compare_rows("x", actual, layout, {}, reference.view(), {});
  EXPECT_EQ(d.absolute, 0);
  EXPECT_EQ(d.count, 3);
  EXPECT_EQ(compare_rows("x", actual, layout, {1, 1}, reference.view(), {}).count, 2);
}

TEST(Report, PassesOnlyIfNothingFails) {
  Report report;
  report.add(exact("ids", 4, 0, ""));
  report.add(skipped("training", "no batches"));
  EXPECT_TRUE(report.passed());
  report.add(exact("ids", 4, 1, "row 2"));
  EXPECT_FALSE(report.passed());
  EXPECT_EQ(report.json()["checks"].size(), 3u);
  EXPECT_EQ(report.json()["passed"], false);
}

}  // namespace
}  // namespace heed::verify
