// Which pairs are trained on: the rules by token lengths, and the report of what they dropped.
//
// A pair meets the rules in this order and is counted under the first that drops it: empty, too long, ratio.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "heed/base/json.h"

namespace heed::data {

enum class TooLong { kDrop, kCrop };

struct FilterOptions {
  // Ids a side may have, the end mark included; at most kLongestSide.
  uint32_t max_source_tokens = 512;
  uint32_t max_target_tokens = 512;
  TooLong too_long = TooLong::kDrop;  // crop: the first ids and the last, which is the end mark, stay
  // How many times as long as the other a side may be, end marks and the like not counted; 0: any.
  double max_length_ratio = 0;
};

inline constexpr uint32_t kLongestSide = 65535;  // lengths are kept in 16 bits

struct FilterReport {
  uint64_t pairs = 0;         // before
  uint64_t kept = 0;          // after
  uint64_t empty_source = 0;  // dropped: no text on the source's side alone
  uint64_t empty_target = 0;
  uint64_t empty_both = 0;
  uint64_t too_long = 0;                          // dropped
  uint64_t ratio = 0;                             // dropped
  uint64_t cropped = 0;                           // kept, one or both sides cut
  uint64_t source_tokens = 0, target_tokens = 0;  // of what is kept, after cropping
  uint64_t longest_source = 0, longest_target = 0;

  // One paragraph for people.
  std::string text() const;
  Json json() const;
  FilterReport& operator+=(const FilterReport& other);
  bool operator==(const FilterReport&) const = default;
};

class Filter {
 public:
  // The overheads are the ids that the encoders give for an empty text (end marks and the like). Throws UsageError for
  // options out of range.
  Filter(const FilterOptions& options, size_t source_overhead, size_t target_overhead);

  // Whether the pair of these lengths stays; counts it. The lengths become those after cropping.
  bool keep(size_t& source, size_t& target, FilterReport& report) const;

 private:
  FilterOptions options_;
  size_t source_overhead_, target_overhead_;
};

}  // namespace heed::data
