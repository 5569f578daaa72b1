#include "heed/tasks/held_out.h"

#include <gmock/gmock.h>

#include "heed/base/error.h"

namespace heed::tasks {
namespace {

using ::testing::HasSubstr;

std::string reason(size_t count, const char* valid, double fraction) {
  try {
    kept_for_training(count, "sentences", "train.txt", valid, fraction);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(HeldOut, IsTheShareToTheNearestExample) {
  EXPECT_EQ(kept_for_training(1000, "x", "t", "", 0.9), 100u);  // 1 - 0.9 is a little less than 0.1
  EXPECT_EQ(kept_for_training(7, "x", "t", "", 0.2), 6u);
  EXPECT_EQ(kept_for_training(8, "x", "t", "", 0.2), 6u);
  EXPECT_EQ(kept_for_training(7, "x", "t", "", 0), 7u);
  EXPECT_EQ(kept_for_training(7, "x", "t", "valid", 0), 7u);
}

TEST(HeldOut, LeavesSomethingOnBothSides) {
  EXPECT_THAT(reason(3, "", 0.1), HasSubstr("train.txt: of 3 sentences --valid-fraction 0.1 leaves none"));
  EXPECT_THAT(reason(1, "", 0.5), HasSubstr("leaves none"));
  EXPECT_THAT(reason(9, "valid", 0.5), HasSubstr("--valid or --valid-fraction, not both"));
  EXPECT_THAT(reason(9, "", 1), HasSubstr("it lies between 0 and 1"));
  EXPECT_THAT(reason(9, "", -0.5), HasSubstr("it lies between 0 and 1"));
}

}  // namespace
}  // namespace heed::tasks
