#include "heed/metrics/references.h"

#include "heed/base/error.h"

namespace heed::metrics {

References references_by_segment(std::span<const std::vector<std::string>> streams, bool empty_is_missing) {
  check<DataError>(!streams.empty(), "there is no reference");
  References references(streams[0].size());
  for (size_t r = 0; r < streams.size(); ++r) {
    check<DataError>(streams[r].size() == references.size(), "reference {} has {} lines, but reference 1 has {}", r + 1,
                     streams[r].size(), references.size());
    for (size_t i = 0; i < references.size(); ++i)
      if (!empty_is_missing || !streams[r][i].empty()) references[i].push_back(streams[r][i]);
  }
  for (auto& segment : references)
    if (segment.empty()) segment.emplace_back();
  return references;
}

void check_segments(const char* metric, size_t hypotheses, const References& references) {
  check<DataError>(hypotheses == references.size(), "{}: {} hypotheses, but references for {} segments", metric,
                   hypotheses, references.size());
  check<DataError>(hypotheses > 0, "{}: there is no segment to score", metric);
  for (size_t i = 0; i < references.size(); ++i)
    check<DataError>(!references[i].empty(), "{}: segment {} of {} has no reference", metric, i + 1, references.size());
}

std::vector<int64_t> SegmentStatistics::sums() const {
  std::vector<int64_t> sums(width, 0);
  for (size_t i = 0; i < values.size(); ++i) sums[i % width] += values[i];
  return sums;
}

}  // namespace heed::metrics
