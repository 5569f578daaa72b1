// Axes: ticks at round numbers, and labels that tell them apart.
#include "heed/inspect/axis.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

namespace heed::inspect {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> labels(const Axis& axis) {
  std::vector<std::string> all;
  for (const Tick& tick : axis.ticks()) all.push_back(tick.label);
  return all;
}

TEST(Axis, TicksStandAtRoundNumbers) {
  EXPECT_THAT(labels(Axis(0, 2604, false, 6)), ElementsAre("0", "500", "1,000", "1,500", "2,000", "2,500"));
  EXPECT_THAT(labels(Axis(0, 52000, false, 6)), ElementsAre("0", "10k", "20k", "30k", "40k", "50k"));
  EXPECT_THAT(labels(Axis(0, 3.1e6, false, 6)), ElementsAre("0", "1M", "2M", "3M"));
  EXPECT_THAT(labels(Axis(0.51, 0.79, false, 5)), ElementsAre("0.6", "0.7"));
  EXPECT_THAT(labels(Axis(0, 5e-4, false, 5)), ElementsAre("0", "1e-4", "2e-4", "3e-4", "4e-4", "5e-4"));
  EXPECT_THAT(labels(Axis(-0.2, 0.2, false, 4)), ElementsAre("-0.2", "-0.1", "0", "0.1", "0.2"));
}

TEST(Axis, EndsAtTicksIfAskedTo) {
  const Axis axis(0.51, 0.79, false, 5, Axis::Ends::kTicks);
  EXPECT_DOUBLE_EQ(axis.low(), 0.5);
  EXPECT_DOUBLE_EQ(axis.high(), 0.8);
  EXPECT_THAT(labels(axis), ElementsAre("0.5", "0.6", "0.7", "0.8"));
  EXPECT_DOUBLE_EQ(axis.place(0.5), 0);
  EXPECT_DOUBLE_EQ(axis.place(0.8), 1);
  EXPECT_NEAR(axis.place(0.65), 0.5, 1e-12);
  EXPECT_GT(axis.place(1), 1);
  // What is round already stays.
  const Axis round(0, 400, false, 5, Axis::Ends::kTicks);
  EXPECT_EQ(round.high(), 400);
}

TEST(Axis, Logarithmic) {
  const Axis wide(1, 1e4, true, 5);
  EXPECT_THAT(labels(wide), ElementsAre("1", "10", "100", "1,000", "10,000"));
  EXPECT_NEAR(wide.place(100), 0.5, 1e-12);
  EXPECT_THAT(labels(Axis(0.4, 8, true, 5)), ElementsAre("0.5", "1", "2", "5"));
  EXPECT_THAT(labels(Axis(2.2, 2.9, true, 4)), ElementsAre("2.2", "2.4", "2.6", "2.8"));
  EXPECT_EQ(labels(Axis(1e-9, 1e9, true, 5)).size(), 5u);
  EXPECT_FALSE(wide.shows(0));
  EXPECT_FALSE(wide.shows(-1));
  EXPECT_FALSE(wide.shows(std::numeric_limits<double>::quiet_NaN()));
  EXPECT_TRUE(wide.shows(1e9));
}

TEST(Axis, OfOneValueAlone) {
  for (const double value : {0.0, 3.0, -2.0, 1e-7}) {
    const Axis axis(value, value, false, 5, Axis::Ends::kTicks);
    EXPECT_LT(axis.low(), value);
    EXPECT_GT(axis.high(), value);
    EXPECT_GE(axis.ticks().size(), 2u);
  }
  EXPECT_NEAR(Axis(5, 5, true, 5).place(5), 0.5, 1e-12);
}

TEST(Axis, OfNumbersAtTheEdge) {
  constexpr double kMost = std::numeric_limits<double>::max(), kLeast = std::numeric_limits<double>::denorm_min();
  for (const bool log : {false, true})
    for (const auto& [low, high] : {std::pair(-kMost, kMost), {kLeast, kMost}, {kMost, kMost}, {kLeast, kLeast}})
      EXPECT_LT(Axis(low, high, log, 5, Axis::Ends::kTicks).ticks().size(), 50u);
}

TEST(Axis, NumbersForPeople) {
  EXPECT_EQ(short_number(0), "0");
  EXPECT_EQ(short_number(0.78945), "0.7894");
  EXPECT_EQ(short_number(5.1234e-7), "5.1e-7");
  EXPECT_EQ(short_number(1234.56), "1,235");
  EXPECT_EQ(short_number(123456.7), "123,457");
  EXPECT_EQ(short_number(12345678), "12.35M");
  EXPECT_EQ(short_number(-1500), "-1,500");
  EXPECT_EQ(short_number(std::numeric_limits<double>::infinity()), "none");
  EXPECT_EQ(round_step(0.03), 0.05);
  EXPECT_EQ(round_step(100), 100);
  EXPECT_EQ(round_step(7), 10);
}

}  // namespace
}  // namespace heed::inspect
