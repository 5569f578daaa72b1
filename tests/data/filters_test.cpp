#include "heed/data/filters.h"

#include "made_files.h"
#include "message_of.h"

namespace heed::data {
namespace {

using heed::testing::message_of;

struct Judged {
  bool kept;
  size_t source, target;
  FilterReport report;
};

Judged judge(size_t source, size_t target, const FilterOptions& options) {
  const Filter filter(options, 1, 1);
  Judged out{false, source, target, {}};
  out.kept = filter.keep(out.source, out.target, out.report);
  EXPECT_EQ(out.report.pairs, 1u);
  EXPECT_EQ(out.report.kept, out.kept ? 1u : 0u);
  return out;
}

TEST(Filter, EmptySidesAreDropped) {
  EXPECT_EQ(judge(1, 5, {}).report.empty_source, 1u);
  EXPECT_EQ(judge(5, 1, {}).report.empty_target, 1u);
  EXPECT_EQ(judge(0, 1, {}).report.empty_both, 1u);
  EXPECT_FALSE(judge(1, 5, {}).kept);
  EXPECT_TRUE(judge(2, 2, {}).kept);
}

TEST(Filter, LongPairsAreDroppedOrCropped) {
  FilterOptions options{.max_source_tokens = 10, .max_target_tokens = 20};
  EXPECT_TRUE(judge(10, 20, options).kept);
  EXPECT_EQ(judge(11, 20, options).report.too_long, 1u);
  EXPECT_EQ(judge(10, 21, options).report.too_long, 1u);
  options.too_long = TooLong::kCrop;
  const Judged cropped = judge(11, 25, options);
  EXPECT_TRUE(cropped.kept);
  EXPECT_EQ(cropped.source, 10u);
  EXPECT_EQ(cropped.target, 20u);
  EXPECT_EQ(cropped.report.cropped, 1u);
  EXPECT_EQ(cropped.report.source_tokens, 10u);
  EXPECT_EQ(cropped.report.longest_target, 20u);
  EXPECT_EQ(judge(10, 20, options).report.cropped, 0u);
}

TEST(Filter, RatioCountsContentOnly) {
  const FilterOptions options{.max_length_ratio = 1.5};
  EXPECT_TRUE(judge(3, 4, options).kept);  // 2 : 3
  EXPECT_TRUE(judge(4, 3, options).kept);
  EXPECT_EQ(judge(3, 5, options).report.ratio, 1u);  // 2 : 4
  EXPECT_EQ(judge(5, 3, options).report.ratio, 1u);
  EXPECT_TRUE(judge(2, 400, {}).kept);  // 0: any
}

TEST(Filter, OptionsOutOfRangeAreRefused) {
  const auto reason = [](const FilterOptions& options) {
    return message_of<UsageError>([&] { Filter(options, 1, 2); });
  };
  EXPECT_EQ(reason({.max_source_tokens = 1}), "max_source_tokens is 1, expected 2 to 65535");
  EXPECT_EQ(reason({.max_target_tokens = 65536}), "max_target_tokens is 65536, expected 3 to 65535");
  EXPECT_EQ(reason({.max_length_ratio = 0.5}), "max_length_ratio is 0.5, expected 0 (any) or at least 1");
  EXPECT_EQ(reason({.max_source_tokens = 2, .max_target_tokens = 3, .max_length_ratio = 1}), "no error");
}

TEST(FilterReport, SaysWhatWasDropped) {
  const Filter filter({.max_source_tokens = 10, .max_target_tokens = 10, .max_length_ratio = 2}, 1, 1);
  FilterReport report, more;
  const auto add = [&](size_t source, size_t target, FilterReport& to) { filter.keep(source, target, to); };
  add(5, 5, report);
  add(1, 5, report);
  add(2, 9, more);
  add(12, 9, more);
  add(6, 4, more);
  report += more;
  EXPECT_EQ(
      report.text(),
      "2 of 5 pairs are used; dropped: 1 with an empty source, 1 too long, 1 with lengths too far apart; 11 source "
      "and 9 target tokens, the longest 6 and 5");
  EXPECT_EQ(
      report.json().dump(),
      R"({"pairs":5,"kept":2,"empty_source":1,"empty_target":0,"empty_both":0,"too_long":1,"ratio":1,"cropped":0,)"
      R"("source_tokens":11,"target_tokens":9,"longest_source":6,"longest_target":5})");
  const Filter cropping({.max_source_tokens = 3, .too_long = TooLong::kCrop}, 1, 1);
  FilterReport cropped;
  size_t source = 5, target = 5;
  cropping.keep(source, target, cropped);
  EXPECT_EQ(cropped.text(), "1 of 1 pairs are used; 1 cropped; 3 source and 5 target tokens, the longest 3 and 5");
}

}  // namespace
}  // namespace heed::data
