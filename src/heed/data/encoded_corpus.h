// A parallel corpus as ids: every pair is encoded once at the start, on several threads, to learn its lengths and to
// filter. The ids stay in memory, about 2 bytes each, if all fit the budget; else pairs are encoded again on demand.
// Nothing that comes out depends on the budget or on the number of threads.
//
// With subword sampling (Kudo 2018, "Subword Regularization") the ids of line i in epoch e are a pure function of
// (seed, e, i); lengths and filters are those of the unsampled encoding. Thread-safe once built; movable.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "heed/base/random.h"
#include "heed/data/filters.h"
#include "heed/data/parallel_corpus.h"

namespace heed::data {

// Both must be pure (but for the Random handed in) and callable from several threads. Ids are not negative, the last
// one is the end mark. A side is empty if it encodes to no more ids than the empty text does.
using Encoder = std::function<std::vector<int32_t>(std::string_view text)>;
using SamplingEncoder = std::function<std::vector<int32_t>(std::string_view text, Random& random)>;

struct PairEncoders {
  Encoder source, target;
  SamplingEncoder sample_source, sample_target;  // either may be empty: that side is not sampled
};

struct EncodeOptions {
  FilterOptions filter{};
  uint64_t seed = 1;                           // of subword sampling
  int threads = 1;                             // of the first pass
  uint64_t memory_budget = uint64_t{1} << 30;  // bytes for ids
};

struct EncodedPair {
  std::vector<int32_t> source, target;
  bool operator==(const EncodedPair&) const = default;
};

class EncodedCorpus {
 public:
  // Throws UsageError for options out of range, DataError if no pair is left or a corpus has more than 2^32 - 1, and
  // what an encoder throws (of the first such line).
  EncodedCorpus(ParallelCorpus text, PairEncoders encoders, const EncodeOptions& options);

  // Pairs that the filters kept; positions below are into these, in the order of the lines.
  uint64_t size() const { return lines_.size(); }

  // Where pair `position` stands in the text, from 0.
  uint64_t line(uint64_t position) const { return lines_[position]; }

  // Ids per pair, unsampled; what BatchPlan groups by.
  std::span<const uint16_t> source_lengths() const { return source_lengths_; }
  std::span<const uint16_t> target_lengths() const { return target_lengths_; }

  // The ids of a pair in an epoch. A sampled side that exceeds the limit of the filter gives way to the unsampled one.
  EncodedPair pair(uint64_t position, uint64_t epoch) const;

  // Whether all ids fitted the budget.
  bool in_memory() const { return !blocks_.empty(); }

  const FilterReport& report() const { return report_; }
  const ParallelCorpus& text() const { return text_; }

 private:
  struct Block;
  using Bytes = std::vector<uint8_t>;

  Block encode_block(uint64_t block, const Filter& filter, bool keep_ids) const;
  std::vector<Block> encode_all(const Filter& filter);
  void take(std::vector<Block> blocks);
  EncodedPair unsampled(uint64_t position) const;

  ParallelCorpus text_;
  PairEncoders encoders_;
  EncodeOptions options_;
  FilterReport report_;
  std::vector<uint32_t> lines_;
  std::vector<uint16_t> source_lengths_, target_lengths_;
  std::vector<uint32_t> offsets_;  // of each pair in the bytes of its line's block; empty unless in memory
  std::vector<Bytes> blocks_;      // ids of source then target as varints; empty unless in memory
};

}  // namespace heed::data
