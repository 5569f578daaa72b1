#include "heed/decode/beam.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heed::decode {
namespace {

using ::testing::ElementsAre;
using Ids = std::vector<int32_t>;

constexpr int32_t kEos = 0;

// Rows of candidates, kept alive for a call of advance().
class Rows {
 public:
  Rows& row(std::vector<float> log_probs, Ids ids) {
    values_.push_back(std::move(log_probs));
    ids_.push_back(std::move(ids));
    return *this;
  }
  std::vector<Candidates> candidates() const {
    std::vector<Candidates> result;
    for (size_t i = 0; i < ids_.size(); ++i) result.push_back({values_[i], ids_[i]});
    return result;
  }

 private:
  std::vector<std::vector<float>> values_;
  std::vector<Ids> ids_;
};

BeamRules rules(int beam, EarlyStopping early = EarlyStopping::kFalse, double penalty = 1) {
  Options options;
  options.beam = options.n_best = beam;
  options.eos = {kEos};
  options.early_stopping = early;
  options.length_penalty = penalty;
  options.token_log_probs = true;
  return BeamRules(options);
}

TEST(Beam, MergesRowsAndKeepsTheBest) {
  const BeamRules r = rules(2);
  Beam beam(r, 1, 10);
  beam.advance(Rows().row({-1, -2, -3, -4}, {5, 6, 7, 8}).candidates());
  ASSERT_EQ(beam.open().size(), 2u);
  EXPECT_EQ(beam.open()[0].token, 5);
  EXPECT_EQ(beam.open()[1].token, 6);
  beam.advance(Rows().row({-3, -3.5f, -9, -9}, {1, 2, 3, 4}).row({-1, -1.7f, -9, -9}, {3, 4, 5, 6}).candidates());
  // Sums: row 0: -4, -4.5; row 1: -3, -3.7.
  EXPECT_EQ(beam.open()[0].token, 3);
  EXPECT_EQ(beam.open()[0].parent, 1);
  EXPECT_EQ(beam.open()[0].sum, -3);
  EXPECT_EQ(beam.open()[1].token, 4);
  EXPECT_EQ(beam.open()[1].parent, 1);
  Ids ids{9};
  beam.append_ids(1, ids);
  EXPECT_THAT(ids, ElementsAre(9, 6, 4));
}

TEST(Beam, TiesGoToTheLowerBeam) {
  const BeamRules r = rules(2);
  Beam beam(r, 1, 10);
  beam.advance(Rows().row({-1, -1}, {5, 6}).candidates());
  beam.advance(Rows().row({-2, -2}, {7, 8}).row({-2, -2}, {3, 4}).candidates());
  EXPECT_EQ(beam.open()[0].token, 7);
  EXPECT_EQ(beam.open()[1].token, 8);
  EXPECT_EQ(beam.open()[1].parent, 0);
}

// Of the continuations that end, only those among the best `size` are outputs.
TEST(Beam, AnEndBehindTheBestIsDropped) {
  const BeamRules r = rules(2);
  Beam beam(r, 1, 10);
  beam.advance(Rows().row({-1, -2, -3, -4}, {5, 6, kEos, 8}).candidates());
  EXPECT_EQ(beam.open().size(), 2u);
  beam.advance(Rows().row({-1, -9, -9, -9}, {kEos, 2, 3, 4}).row({-1, -2, -9, -9}, {3, 4, 5, 6}).candidates());
  beam.advance(Rows().row({-1, -2, -9, -9}, {kEos, 4, 5, 6}).row({-5, -6, -9, -9}, {3, 4, 5, 6}).candidates());
  ASSERT_TRUE(beam.done());
  const auto outputs = beam.hypotheses({});
  ASSERT_EQ(outputs.size(), 2u);
  EXPECT_THAT(outputs[0].ids, ElementsAre(5, kEos));
  EXPECT_EQ(outputs[0].score, -1);  // -2 / 2
  EXPECT_EQ(outputs[0].sum_log_prob, -2);
  EXPECT_THAT(outputs[0].token_log_probs, ElementsAre(-1, -1));
  EXPECT_TRUE(outputs[0].finished);
  EXPECT_THAT(outputs[1].ids, ElementsAre(6, 3, kEos));
  EXPECT_FLOAT_EQ(outputs[1].score, -4.0f / 3);
}

// Two outputs are finished at -0.5 and -1; the open beam has a sum of -3 after two tokens (score -1.5).
TEST(Beam, EarlyStopping) {
  const auto run = [](EarlyStopping early, double penalty) {
    const BeamRules r = rules(2, early, penalty);
    Beam beam(r, 1, 5);
    beam.advance(Rows().row({-0.5f, -1, -1.5f, -9}, {kEos, 5, 6, 7}).candidates());
    beam.advance(Rows().row({-1, -2, -2.5f, -9}, {kEos, 2, 3, 4}).row({-5, -6, -9, -9}, {3, 4, 5, 6}).candidates());
    return beam.done();
  };
  EXPECT_TRUE(run(EarlyStopping::kTrue, 1));
  EXPECT_TRUE(run(EarlyStopping::kFalse, 1));     // -1.5 < -1
  EXPECT_FALSE(run(EarlyStopping::kNever, 1));    // -3 / 4 > -1: it could still get better
  EXPECT_TRUE(run(EarlyStopping::kNever, 0));     // -3 < -2
  EXPECT_TRUE(run(EarlyStopping::kNever, -0.5));  // the length so far counts
}

// With a negative penalty a longer output is rated lower, so it is the length so far that counts.
TEST(Beam, NeverWithANegativePenalty) {
  const BeamRules r = rules(2, EarlyStopping::kNever, -0.5);
  Beam beam(r, 1, 5);
  beam.advance(Rows().row({-0.5f, -1, -1.5f, -9}, {kEos, 5, 6, 7}).candidates());
  beam.advance(Rows().row({-2, -2.5f, -6, -9}, {2, kEos, 3, 4}).row({-8, -9, -9, -9}, {3, 4, 5, 6}).candidates());
  EXPECT_FALSE(beam.done());  // -3 * 2^0.5 > -3.5 * 2^0.5, though -3 * 4^0.5 is not
}

// The greatest length is that of the new tokens.
TEST(Beam, NeverCountsNewTokens) {
  const BeamRules r = rules(2, EarlyStopping::kNever);
  Beam beam(r, 3, 6);
  beam.advance(Rows().row({-0.5f, -1, -1.5f, -9}, {kEos, 5, 6, 7}).candidates());
  beam.advance(Rows().row({-1, -2.5f, -6, -9}, {kEos, 2, 3, 4}).row({-8, -9, -9, -9}, {3, 4, 5, 6}).candidates());
  EXPECT_TRUE(beam.done());  // -3.5 / 3 < -1, though -3.5 / 6 is not
}

TEST(Beam, TiesAmongOutputsGoToTheOlder) {
  const BeamRules r = rules(2, EarlyStopping::kTrue, 0);
  Beam beam(r, 1, 10);
  beam.advance(Rows().row({-1, -2, -3, -4}, {5, kEos, 6, 7}).candidates());
  beam.advance(Rows().row({-1, -1.5f, -9, -9}, {kEos, 2, 3, 4}).row({-8, -9, -9, -9}, {3, 4, 5, 6}).candidates());
  ASSERT_TRUE(beam.done());
  const auto outputs = beam.hypotheses({});
  ASSERT_EQ(outputs.size(), 2u);
  EXPECT_EQ(outputs[0].score, outputs[1].score);
  EXPECT_THAT(outputs[0].ids, ElementsAre(kEos));
}

TEST(Beam, TheLimitFinishesWhatIsOpen) {
  const BeamRules r = rules(2);
  Beam beam(r, 3, 5);
  beam.advance(Rows().row({-1, -2, -3, -4}, {5, 6, 7, 8}).candidates());
  EXPECT_FALSE(beam.done());
  beam.advance(Rows().row({-1, -4, -9, -9}, {1, 2, 3, 4}).row({-1, -5, -9, -9}, {kEos, 4, 5, 6}).candidates());
  ASSERT_TRUE(beam.done());
  const auto outputs = beam.hypotheses(Ids{11, 12});
  ASSERT_EQ(outputs.size(), 2u);
  EXPECT_THAT(outputs[0].ids, ElementsAre(11, 12, 5, 1));
  EXPECT_FALSE(outputs[0].finished);
  EXPECT_THAT(outputs[1].ids, ElementsAre(11, 12, 6, kEos));
  EXPECT_TRUE(outputs[1].finished);
}

TEST(Beam, FewerContinuationsThanBeams) {
  const BeamRules r = rules(3);
  Beam beam(r, 1, 10);
  beam.advance(Rows().row({-1}, {5}).candidates());
  ASSERT_EQ(beam.open().size(), 1u);
  beam.advance(Rows().row({-1, -2}, {kEos, 5}).candidates());
  ASSERT_EQ(beam.open().size(), 1u);
  beam.advance(Rows().row({}, {}).candidates());  // nothing is possible
  ASSERT_TRUE(beam.done());
  const auto outputs = beam.hypotheses({});
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_THAT(outputs[0].ids, ElementsAre(5, kEos));
}

TEST(Beam, StuckWithoutAnOutput) {
  const BeamRules r = rules(2);
  Beam beam(r, 1, 10);
  beam.advance(Rows().row({-1}, {5}).candidates());
  beam.advance(Rows().row({}, {}).candidates());
  ASSERT_TRUE(beam.done());
  const auto outputs = beam.hypotheses({});
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_THAT(outputs[0].ids, ElementsAre(5));
  EXPECT_EQ(outputs[0].score, -1);
  EXPECT_FALSE(outputs[0].finished);
}

TEST(Beam, SeveralEndTokensWidenTheChoice) {
  Options options;
  options.beam = 4;
  EXPECT_EQ(BeamRules(options).candidates, 8);
  options.eos = {1};
  EXPECT_EQ(BeamRules(options).candidates, 8);
  options.eos = {1, 2, 3};
  EXPECT_EQ(BeamRules(options).candidates, 16);
  options.ignore_eos = true;
  EXPECT_EQ(BeamRules(options).candidates, 8);
}

}  // namespace
}  // namespace heed::decode
