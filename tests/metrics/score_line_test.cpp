#include "heed/metrics/score_line.h"

#include <gtest/gtest.h>

#include "heed/base/error.h"

namespace heed::metrics {
namespace {

TEST(ScoreLine, LeavesOutWhatIsNotThere) {
  EXPECT_EQ(score_line("BLEU", "", 36.8799, {}, "", 1), "BLEU = 36.9");
  EXPECT_EQ(score_line("BLEU", "a:b", 36.8799, {}, "x", 0), "BLEU|a:b = 37 x");
  EXPECT_EQ(score_line("BLEU", "a:b", 36.8799, Confidence{36.5, 0.617}, "x", 2),
            "BLEU|a:b = 36.88 (μ = 36.50 ± 0.62) x");
  EXPECT_EQ(score_line("BLEU", "", 0, Confidence{0, 0}, "", 2), "BLEU = 0.00");
}

// Python's format rounds the exact binary value, half to even.
TEST(ScoreLine, RoundsTheExactValue) {
  EXPECT_EQ(score_line("x", "", 0.125, {}, "", 2), "x = 0.12");
  EXPECT_EQ(score_line("x", "", 2.675, {}, "", 2), "x = 2.67");
  EXPECT_EQ(score_line("x", "", 0.1, {}, "", 20), "x = 0.10000000000000000555");
  EXPECT_THROW(score_line("x", "", 1, {}, "", -1), UsageError);
}

TEST(Signature, CountsReferences) {
  const std::string tail = "|impl:heed-" HEED_VERSION "|compatible:sacrebleu-2.6.0";
  EXPECT_EQ(signature({{"a", "b"}, {"c", "d"}}, {}, {{"case", "lc"}}), "nrefs:2|case:lc" + tail);
  EXPECT_EQ(signature({{"a"}, {"c", "d"}}, {}, {}), "nrefs:var" + tail);
  EXPECT_EQ(signature({{"a"}}, BootstrapOptions{500, 7}, {{"eff", "no"}}), "nrefs:1|bs:500|seed:7|eff:no" + tail);
}

}  // namespace
}  // namespace heed::metrics
