#include "heed/dist/communicator.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>

namespace heed::dist {
namespace {

TEST(SingleProcess, ChangesNothing) {
  const auto alone = single_process();
  EXPECT_EQ(alone->rank(), 0);
  EXPECT_EQ(alone->world(), 1);
  EXPECT_TRUE(alone->is_first());
  std::array<double, 2> x{1, 2};
  alone->sum(x);
  EXPECT_EQ(x, (std::array<double, 2>{1, 2}));
  std::array<float, 2> y{3, 4};
  alone->begin_sum(y);
  alone->progress();
  alone->finish();
  EXPECT_EQ(y, (std::array<float, 2>{3, 4}));
  EXPECT_EQ(alone->broadcast_text("text"), "text");
  alone->barrier();
}

TEST(Join, AloneUnlessALauncherSaysOtherwise) {
  ::unsetenv("OMPI_COMM_WORLD_SIZE");
  ::unsetenv("SLURM_NTASKS");
  EXPECT_FALSE(is_started_together());
  EXPECT_EQ(join()->world(), 1);
  ::setenv("OMPI_COMM_WORLD_SIZE", "1", 1);
  EXPECT_FALSE(is_started_together());
  ::setenv("OMPI_COMM_WORLD_SIZE", "4", 1);
  EXPECT_TRUE(is_started_together());
  ::unsetenv("OMPI_COMM_WORLD_SIZE");
}

TEST(LocalRank, IsWhatTheLauncherSays) {
  ::unsetenv("OMPI_COMM_WORLD_LOCAL_RANK");
  ::unsetenv("SLURM_LOCALID");
  EXPECT_EQ(local_rank(), 0);
  ::setenv("SLURM_LOCALID", "3", 1);
  EXPECT_EQ(local_rank(), 3);
  ::setenv("OMPI_COMM_WORLD_LOCAL_RANK", "2", 1);
  EXPECT_EQ(local_rank(), 2);
  ::unsetenv("OMPI_COMM_WORLD_LOCAL_RANK");
  ::unsetenv("SLURM_LOCALID");
}

}  // namespace
}  // namespace heed::dist
