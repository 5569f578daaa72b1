#include "heed/cli/suggest.h"

#include <gtest/gtest.h>

namespace heed::cli {
namespace {

TEST(Suggest, DistanceCountsEdits) {
  EXPECT_EQ(edit_distance("", ""), 0);
  EXPECT_EQ(edit_distance("beam", ""), 4);
  EXPECT_EQ(edit_distance("beam", "beam"), 0);
  EXPECT_EQ(edit_distance("beam", "bean"), 1);
  EXPECT_EQ(edit_distance("train", "trian"), 1);  // a swap is one slip
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("abc", "cba"), 2);
  EXPECT_EQ(edit_distance("max-steps", "max_step"), edit_distance("max_step", "max-steps"));
}

TEST(Suggest, FindsTheNearestNameOrNone) {
  const std::vector<std::string> names = {"max-steps", "max-minutes", "beam", "threads"};
  EXPECT_EQ(nearest_name("max-step", names), "max-steps");
  EXPECT_EQ(nearest_name("max-minuets", names), "max-minutes");
  EXPECT_EQ(nearest_name("thr", names), "threads");  // a beginning
  EXPECT_EQ(nearest_name("baem", names), "beam");
  EXPECT_EQ(nearest_name("vocabulary", names), "");
  EXPECT_EQ(nearest_name("", names), "");
  EXPECT_EQ(nearest_name(std::string(10000, 'm'), names), "");
}

TEST(Suggest, EndsAMessage) {
  EXPECT_EQ(did_you_mean("bean", {"beam"}, "--"), "; did you mean '--beam'?");
  EXPECT_EQ(did_you_mean("xyz", {"beam"}, "--"), "");
}

}  // namespace
}  // namespace heed::cli
