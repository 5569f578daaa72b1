// Batches by token budget. The plan of an epoch is a pure function of the lengths, the options (with the seed) and the
// epoch: rows are shuffled (unless they shall not be), put into buckets of like length, cut into batches in that order,
// and the batches shuffled. So batch k of epoch e is the same whoever asks, in whatever order, and a resumed run meets
// the same batches.
//
// A bucket holds the rows whose longer side lies in a range; ranges grow by a factor, as in tensor2tensor (Vaswani et
// al. 2018): that bounds the padding of a padded layout while buckets stay large enough for batches to differ in every
// epoch. Nothing is ever left out. To leave no small batch at the end, all are filled as evenly as the budget allows.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "heed/base/json.h"
#include "heed/base/ragged.h"
#include "heed/data/encoded_corpus.h"
#include "heed/data/share.h"

namespace heed::data {

struct BatchOptions {
  uint64_t seed = 1;
  uint32_t max_tokens = 4096;  // real target tokens of a batch; a single longer row makes a batch of its own
  bool count_source = false;   // max_tokens bounds source and target tokens together
  uint32_t max_rows = 0;       // 0: any
  bool shuffle = true;         // false: rows in their order, in every epoch, without buckets
  double bucket_growth = 1.1;  // a bucket's longest over its shortest, about; 1: by exact length; 0: no buckets
};

// What an epoch's batches hold, and what they would hold if each row were padded to the longest of its batch (Heed's
// own layout is packed and computes no padding).
struct PlanReport {
  uint64_t batches = 0, rows = 0;
  uint64_t source_tokens = 0, target_tokens = 0;
  uint64_t padded_source_tokens = 0, padded_target_tokens = 0;
  uint64_t smallest_batch = 0, largest_batch = 0;  // tokens that count for the budget

  // The share of padding in such a padded layout, both sides together, in [0, 1).
  double padding_share() const;
  std::string text() const;
  Json json() const;
};

// The batches of one epoch. Immutable, so thread-safe.
class BatchPlan {
 public:
  // Lengths per row, both spans of one size, at most 2^32 - 1 rows. Throws UsageError for options out of range,
  // DataError for no rows.
  BatchPlan(std::span<const uint16_t> source_lengths, std::span<const uint16_t> target_lengths,
            const BatchOptions& options, uint64_t epoch);

  uint64_t batches() const { return order_.size(); }

  // The rows of batch k < batches(), never none.
  std::span<const uint32_t> rows(uint64_t k) const;

  const PlanReport& report() const { return report_; }
  // The batch with the most tokens of both sides.
  uint64_t heaviest() const { return heaviest_; }

 private:
  void measure(std::span<const uint16_t> source_lengths, std::span<const uint16_t> target_lengths, bool count_source);

  std::vector<uint32_t> rows_;    // by bucket
  std::vector<uint32_t> begins_;  // into rows_, of each batch, and the end
  std::vector<uint32_t> order_;   // batch k is the order_[k]-th in rows_
  PlanReport report_;
  uint64_t heaviest_ = 0;
};

// The plans of all epochs. Thread-safe; the lengths must outlive it.
class BatchPlans {
 public:
  BatchPlans(std::span<const uint16_t> source_lengths, std::span<const uint16_t> target_lengths,
             const BatchOptions& options)
      : source_lengths_(source_lengths), target_lengths_(target_lengths), options_(options) {}

  std::shared_ptr<const BatchPlan> plan(uint64_t epoch) const;

  uint32_t max_tokens() const { return options_.max_tokens; }
  // Other plans from now on; while nobody else asks for one.
  void set_max_tokens(uint32_t tokens);
  void keep_order();  // BatchOptions::shuffle off

 private:
  std::span<const uint16_t> source_lengths_, target_lengths_;
  BatchOptions options_;
  // The two plans last asked for, as a cache: at an epoch's end two are in use.
  mutable std::mutex mutex_;
  mutable std::vector<std::pair<uint64_t, std::shared_ptr<const BatchPlan>>> recent_;
};

struct ParallelBatch {
  Ragged source, target;        // as the encoders gave them, end marks included, nothing shifted
  std::vector<uint64_t> lines;  // of the text, from 0, one per row
  bool operator==(const ParallelBatch&) const = default;
};

// The batches of a corpus over all epochs, of which each has this process's share (data/share.h). Thread-safe; the
// corpus must outlive it.
class ParallelBatches {
 public:
  // options.max_tokens: of this process's share.
  ParallelBatches(const EncodedCorpus& corpus, const BatchOptions& options);

  // Of all processes together.
  BatchPlans& plans() { return plans_; }
  const BatchPlans& plans() const { return plans_; }
  std::shared_ptr<const BatchPlan> plan(uint64_t epoch) const { return plans_.plan(epoch); }
  // How many batches the epoch has.
  uint64_t batches(uint64_t epoch) const { return plan(epoch)->batches(); }
  // Batch k < batches(epoch).
  ParallelBatch batch(uint64_t epoch, uint64_t k) const;

 private:
  const EncodedCorpus& corpus_;
  BatchPlans plans_;
};

}  // namespace heed::data
