#include "heed/data/filters.h"

#include <algorithm>
#include <cmath>

#include "heed/base/error.h"

namespace heed::data {

std::string FilterReport::text() const {
  std::string out = fmt::format("{} of {} pairs are used", kept, pairs);
  const char* separator = "; dropped: ";
  const auto mention = [&](uint64_t count, std::string_view what) {
    if (count == 0) return;
    out += fmt::format("{}{} {}", separator, count, what);
    separator = ", ";
  };
  mention(empty_source, "with an empty source");
  mention(empty_target, "with an empty target");
  mention(empty_both, "with both sides empty");
  mention(too_long, "too long");
  mention(ratio, "with lengths too far apart");
  separator = "; ";
  mention(cropped, "cropped");
  out += fmt::format("; {} source and {} target tokens, the longest {} and {}", source_tokens, target_tokens,
                     longest_source, longest_target);
  return out;
}

Json FilterReport::json() const {
  return {{"pairs", pairs},
          {"kept", kept},
          {"empty_source", empty_source},
          {"empty_target", empty_target},
          {"empty_both", empty_both},
          {"too_long", too_long},
          {"ratio", ratio},
          {"cropped", cropped},
          {"source_tokens", source_tokens},
          {"target_tokens", target_tokens},
          {"longest_source", longest_source},
          {"longest_target", longest_target}};
}

FilterReport& FilterReport::operator+=(const FilterReport& other) {
  pairs += other.pairs;
  kept += other.kept;
  empty_source += other.empty_source;
  empty_target += other.empty_target;
  empty_both += other.empty_both;
  too_long += other.too_long;
  ratio += other.ratio;
  cropped += other.cropped;
  source_tokens += other.source_tokens;
  target_tokens += other.target_tokens;
  longest_source = std::max(longest_source, other.longest_source);
  longest_target = std::max(longest_target, other.longest_target);
  return *this;
}

Filter::Filter(const FilterOptions& options, size_t source_overhead, size_t target_overhead)
    : options_(options), source_overhead_(source_overhead), target_overhead_(target_overhead) {
  const auto check_limit = [](uint32_t limit, size_t overhead, const char* side) {
    check<UsageError>(limit > overhead && limit <= kLongestSide, "max_{}_tokens is {}, expected {} to {}", side, limit,
                      overhead + 1, kLongestSide);
  };
  check_limit(options.max_source_tokens, source_overhead, "source");
  check_limit(options.max_target_tokens, target_overhead, "target");
  check<UsageError>(options.max_length_ratio == 0 || options.max_length_ratio >= 1,
                    "max_length_ratio is {}, expected 0 (any) or at least 1", options.max_length_ratio);
}

bool Filter::keep(size_t& source, size_t& target, FilterReport& report) const {
  ++report.pairs;
  const bool no_source = source <= source_overhead_, no_target = target <= target_overhead_;
  if (no_source && no_target) return ++report.empty_both, false;
  if (no_source) return ++report.empty_source, false;
  if (no_target) return ++report.empty_target, false;
  const bool too_long = source > options_.max_source_tokens || target > options_.max_target_tokens;
  if (too_long && options_.too_long == TooLong::kDrop) return ++report.too_long, false;
  const auto [shorter, longer] = std::minmax({source - source_overhead_, target - target_overhead_});
  // Not by division, so that a ratio of exactly the limit stays.
  if (options_.max_length_ratio > 0 &&
      static_cast<double>(longer) > options_.max_length_ratio * static_cast<double>(shorter))
    return ++report.ratio, false;
  source = std::min<size_t>(source, options_.max_source_tokens);
  target = std::min<size_t>(target, options_.max_target_tokens);
  ++report.kept;
  report.cropped += too_long;
  report.source_tokens += source;
  report.target_tokens += target;
  report.longest_source = std::max<uint64_t>(report.longest_source, source);
  report.longest_target = std::max<uint64_t>(report.longest_target, target);
  return true;
}

}  // namespace heed::data
