#include "heed/optim/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

#include "heed/base/error.h"
#include "heed/base/json.h"
#include "heed/optim/clipping.h"
#include "shared_files.h"

namespace heed::optim {
namespace {

TEST(Schedule, ThePapersAgainstTheGolden) {
  HEED_NEEDS_SHARED("goldens/paper");
  const Json json = read_json(heed::testing::shared_path("goldens/paper/golden.json"));
  const Schedule s{ScheduleKind::kPaper, 1, json["noam_warmup"].get<int64_t>(), 0, 0, json["d_model"].get<int64_t>()};
  for (size_t i = 0; i < json["lrs"].size(); ++i)
    EXPECT_NEAR(s.rate(static_cast<int64_t>(i) + 1) / json["lrs"][i].get<double>(), 1, 1e-9);
  EXPECT_NEAR(s.rate(4000), std::pow(64, -0.5) * std::pow(4000, -0.5), 1e-12);
}

TEST(Schedule, EachKindRisesAndFallsAsNamed) {
  for (const auto kind :
       {ScheduleKind::kInverseSqrt, ScheduleKind::kCosine, ScheduleKind::kLinear, ScheduleKind::kConstant}) {
    const Schedule s{kind, 2e-3, 100, 1000, 1e-4, 512};
    EXPECT_NEAR(s.rate(1), 2e-5, 1e-12);
    EXPECT_NEAR(s.rate(50), 1e-3, 1e-12);
    EXPECT_NEAR(s.rate(100), 2e-3, 1e-12);
  }
  EXPECT_NEAR((Schedule{ScheduleKind::kInverseSqrt, 2e-3, 100}.rate(400)), 1e-3, 1e-12);
  EXPECT_NEAR((Schedule{ScheduleKind::kCosine, 2e-3, 100, 1100, 1e-4}.rate(600)), 1.05e-3, 1e-9);
  EXPECT_NEAR((Schedule{ScheduleKind::kLinear, 2e-3, 100, 1100, 1e-4}.rate(600)), 1.05e-3, 1e-9);
  EXPECT_NEAR((Schedule{ScheduleKind::kLinear, 2e-3, 100, 1100, 1e-4}.rate(5000)), 1e-4, 1e-12);
  EXPECT_NEAR((Schedule{ScheduleKind::kConstant, 2e-3, 0}.rate(1)), 2e-3, 1e-12);
}

TEST(Schedule, NamesComeBack) {
  for (const char* name : {"paper", "inverse-sqrt", "cosine", "linear", "constant"})
    EXPECT_STREQ(name_of(schedule_from_name(name)), name);
  EXPECT_THROW(schedule_from_name("noam"), UsageError);
}

TEST(Clipping, ScalesOnlyWhatIsLonger) {
  EXPECT_EQ(clip_scale(0.5, 1), 1);
  EXPECT_EQ(clip_scale(5, 0), 1);
  EXPECT_NEAR(clip_scale(4, 1), 0.25, 1e-6);
}

}  // namespace
}  // namespace heed::optim
