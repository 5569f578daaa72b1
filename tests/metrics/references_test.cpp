#include "heed/metrics/references.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "message_of.h"

namespace heed::metrics {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Streams = std::vector<std::vector<std::string>>;

template <class F>
std::string data_error(const F& f) {
  return testing::message_of<DataError>(f);
}

TEST(References, AreTurnedIntoSegments) {
  EXPECT_EQ(references_by_segment(Streams{{"a", "b"}, {"c", ""}}), (References{{"a", "c"}, {"b", ""}}));
}

TEST(References, MayBeMissing) {
  EXPECT_EQ(references_by_segment(Streams{{"a", "", ""}, {"", "b", ""}}, true), (References{{"a"}, {"b"}, {""}}));
}

TEST(References, MustHaveEquallyManyLines) {
  EXPECT_THAT(data_error([] {
                references_by_segment(Streams{{"a", "b"}, {"c"}});
              }),
              AllOf(HasSubstr("reference 2 has 1 line"), HasSubstr("reference 1 has 2")));
  EXPECT_THROW(references_by_segment({}), DataError);
}

TEST(References, MustFitTheHypotheses) {
  EXPECT_THAT(data_error([] {
                check_segments("BLEU", 3, {{"a"}, {"b"}});
              }),
              AllOf(HasSubstr("BLEU: 3 hypotheses"), HasSubstr("2 segments")));
  EXPECT_THAT(data_error([] { check_segments("BLEU", 0, {}); }), HasSubstr("no segment"));
  EXPECT_THAT(data_error([] { check_segments("BLEU", 2, {{"a"}, {}}); }), HasSubstr("segment 2 of 2 has no reference"));
  EXPECT_NO_THROW(check_segments("BLEU", 2, {{"a"}, {""}}));
}

TEST(SegmentStatistics, AreSummedByColumn) {
  const SegmentStatistics statistics{2, {1, 10, 2, 20, 3, 30}};
  EXPECT_EQ(statistics.segments(), 3u);
  EXPECT_THAT(statistics.row(1), ElementsAre(2, 20));
  EXPECT_THAT(statistics.sums(), ElementsAre(6, 60));
}

}  // namespace
}  // namespace heed::metrics
