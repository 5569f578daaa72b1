#include "heed/train/options.h"

#include <gmock/gmock.h>

#include "heed/base/error.h"

namespace heed::train {
namespace {

TEST(TrainOptions, RefusesWhatIsOutOfRangeNamingTheOption) {
  EXPECT_NO_THROW(TrainOptions().validate());
  const std::vector<std::pair<const char*, std::function<void(TrainOptions&)>>> bad = {
      {"--max-steps", [](TrainOptions& o) { o.max_steps = -1; }},
      {"--max-minutes", [](TrainOptions& o) { o.max_minutes = -1; }},
      {"--patience", [](TrainOptions& o) { o.patience = -1; }},
      {"--patience", [](TrainOptions& o) { o.patience = 1, o.valid_every = 0; }},
      {"--accumulate", [](TrainOptions& o) { o.accumulate = 0; }},
      {"--clip-norm", [](TrainOptions& o) { o.clip_norm = -1; }},
      {"--warmup", [](TrainOptions& o) { o.schedule.warmup = -1; }},
      {"--valid-every", [](TrainOptions& o) { o.valid_every = -1; }},
      {"--save-every", [](TrainOptions& o) { o.save_every = -1; }},
      {"--snapshot-every", [](TrainOptions& o) { o.snapshot_every = -1; }},
      {"--log-every", [](TrainOptions& o) { o.log_every = 0; }},
      {"--average", [](TrainOptions& o) { o.average = -1; }},
      {"--keep-last", [](TrainOptions& o) { o.keep_last = 0; }},
      {"--keep-best", [](TrainOptions& o) { o.keep_best = -1; }},
      {"--weight-decay", [](TrainOptions& o) { o.adam.weight_decay = -1; }},
      {"--learning-rate", [](TrainOptions& o) { o.schedule.peak = 0; }},
      {"--ema", [](TrainOptions& o) { o.average = 0, o.ema = 1; }},
      {"--average", [](TrainOptions& o) { o.ema = 0.9; }},
      {"Muon", [](TrainOptions& o) { o.muon = true, o.adam.decoupled = false; }},
      {"--epsilon", [](TrainOptions& o) { o.adam.epsilon = 0; }},
      {"--min-learning-rate",
       [](TrainOptions& o) {
         o.schedule.kind = optim::ScheduleKind::kLinear;
         o.schedule.total = 10;
         o.schedule.floor = 2 * o.schedule.peak;
       }},
      {"--dtype", [](TrainOptions& o) { o.dtype = DType::kF16; }},
      {"--max-steps", [](TrainOptions& o) { o.schedule.kind = optim::ScheduleKind::kCosine; }}};
  for (const auto& [name, change] : bad) {
    TrainOptions options;
    change(options);
    std::string reason;
    try {
      options.validate();
    } catch (const UsageError& error) {
      reason = error.what();
    }
    EXPECT_THAT(reason, ::testing::HasSubstr(name));
  }
}

TEST(TrainOptions, TheIdentityHoldsTheEndOnlyWhereTheRateDependsOnIt) {
  TrainOptions options;
  options.max_steps = options.schedule.total = 100;
  EXPECT_FALSE(options.identity().contains("max-steps"));
  options.schedule.kind = optim::ScheduleKind::kLinear;
  EXPECT_EQ(options.identity()["max-steps"], 100);
}

TEST(TrainOptions, TheIdentityNamesTheOptimizer) {
  TrainOptions options;
  options.adam.decoupled = false;
  EXPECT_EQ(options.identity()["optimizer"], "adam");
  options.adam.decoupled = true;
  EXPECT_EQ(options.identity()["optimizer"], "adamw");
  EXPECT_FALSE(options.identity().contains("momentum"));
  options.muon = true;
  EXPECT_EQ(options.identity()["optimizer"], "muon");
  EXPECT_EQ(options.identity()["momentum"], optim::kMuonMomentum);
}

// A training begun before there was a choice is in f32 and has no such key.
TEST(TrainOptions, TheIdentityNamesBf16) {
  TrainOptions options;
  EXPECT_FALSE(options.identity().contains("dtype"));
  options.dtype = DType::kBF16;
  EXPECT_EQ(options.identity()["dtype"], "bf16");
}

}  // namespace
}  // namespace heed::train
