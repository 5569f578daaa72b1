// Reference translations, by segment, as BLEU and chrF take them, and the per-segment statistics that both sum up.
//
// A segment has one reference or more, not all segments as many. An empty reference is a reference (of length 0), as
// in sacreBLEU 2.6, whose documentation calls it a placeholder but whose program counts it; what is missing is left
// out.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace heed::metrics {

using References = std::vector<std::vector<std::string>>;  // [segment][its references]

// From parallel files of references, [reference][line]. With `empty_is_missing`, empty lines are left out where another
// reference of the segment is not empty. Throws DataError with both counts if the numbers of lines differ.
References references_by_segment(std::span<const std::vector<std::string>> streams, bool empty_is_missing = false);

// Throws DataError unless there are as many hypotheses as segments (both counts are named), at least one of them, and
// each segment has a reference. `metric` begins the message.
void check_segments(const char* metric, size_t hypotheses, const References& references);

// What the segments contribute to a corpus score: a row of counts each.
struct SegmentStatistics {
  size_t width = 0;             // counts in a row
  std::vector<int64_t> values;  // [segments, width]

  size_t segments() const { return width == 0 ? 0 : values.size() / width; }
  std::span<const int64_t> row(size_t segment) const { return {values.data() + segment * width, width}; }
  std::vector<int64_t> sums() const;  // [width]
};

}  // namespace heed::metrics
