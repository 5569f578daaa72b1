#include "heed/train/state.h"

#include <gtest/gtest.h>

#include <cmath>

#include "heed/base/error.h"

namespace heed::train {
namespace {

TEST(TrainState, ComesBackWithoutLoss) {
  TrainState s;
  s.step = 123456789012;
  s.updates = 7;
  s.next = {3, 17};
  s.targets = 5'000'000'000;
  s.seconds = 0.1 + 0.2;
  s.step_seconds = 1.0 / 3;
  s.skipped = 2;
  s.bad_in_a_row = 1;
  s.validated = 40;
  s.validated_score = -1e-300;
  s.best_score = 39.79000000000001;
  s.worse_in_a_row = 4;
  s.finished = 9;
  s.model_score = 1;
  s.model_step = 30;
  s.model_weights = "average";
  s.model_metrics = {{"loss", 0.1}, {"perplexity", INFINITY}};
  s.snapshots = {10, 20};
  s.logged_loss = M_PI;
  s.logged_seconds = M_E;
  s.logged_targets = 11;
  const Json json = parse_json(s.json().dump(), "state");
  const TrainState t = TrainState::from_json(json, "state");
  EXPECT_EQ(t.json().dump(), json.dump());
  EXPECT_EQ(t.next, s.next);
  EXPECT_EQ(t.seconds, s.seconds);
  EXPECT_EQ(t.best_score, s.best_score);
  EXPECT_EQ(t.validated_score, s.validated_score);
  EXPECT_EQ(t.snapshots, s.snapshots);
  EXPECT_EQ(t.model_metrics[0], s.model_metrics[0]);
  EXPECT_EQ(t.model_metrics[1].first, "perplexity");
  EXPECT_TRUE(std::isnan(t.model_metrics[1].second));
  EXPECT_EQ(TrainState::from_json(TrainState().json(), "state").best_score, std::nullopt);
}

TEST(TrainState, EveryKeyIsNeeded) {
  const Json whole = TrainState().json();
  for (const auto& [key, value] : whole.items()) {
    Json part = whole;
    part.erase(key);
    try {
      TrainState::from_json(part, "the-file");
      ADD_FAILURE() << key;
    } catch (const FormatError& error) {
      EXPECT_NE(std::string(error.what()).find(key), std::string::npos);
      EXPECT_NE(std::string(error.what()).find("the-file"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace heed::train
