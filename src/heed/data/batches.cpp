#include "heed/data/batches.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "heed/base/error.h"
#include "heed/data/streams.h"

namespace heed::data {
namespace {

void check_options(const BatchOptions& options) {
  check<UsageError>(options.max_tokens >= 1, "max_tokens is 0, expected at least 1");
  check<UsageError>(options.bucket_growth == 0 || (options.bucket_growth >= 1 && options.bucket_growth <= 1e6),
                    "bucket_growth is {}, expected 0 (no buckets) or 1 to 1e6", options.bucket_growth);
}

// The bucket of every length up to `longest`.
std::vector<uint32_t> bucket_of_length(uint32_t longest, double growth) {
  std::vector<uint32_t> buckets(longest + 1, 0);
  if (growth == 0) return buckets;
  uint32_t bucket = 0;
  for (uint64_t begin = 0; begin <= longest; ++bucket) {
    const uint64_t end = std::max(begin + 1, static_cast<uint64_t>(static_cast<double>(begin) * growth));
    for (uint64_t length = begin; length < end && length <= longest; ++length) buckets[length] = bucket;
    begin = end;
  }
  return buckets;
}

// All rows, shuffled, then ordered by bucket; within a bucket the shuffled order stays. Or all as they come.
std::vector<uint32_t> rows_by_bucket(std::span<const uint16_t> source, std::span<const uint16_t> target,
                                     const BatchOptions& options, uint64_t epoch) {
  std::vector<uint32_t> shuffled(target.size());
  std::iota(shuffled.begin(), shuffled.end(), 0u);
  if (!options.shuffle) return shuffled;
  Random(stream_seed(options.seed, Stream::kShuffleRows), epoch).shuffle(shuffled);

  const auto longer = [&](uint32_t row) { return std::max(source[row], target[row]); };
  uint32_t longest = 0;
  for (const uint32_t row : shuffled) longest = std::max<uint32_t>(longest, longer(row));
  const std::vector<uint32_t> buckets = bucket_of_length(longest, options.bucket_growth);
  std::vector<uint32_t> next(buckets.back() + 2, 0);  // where each bucket's next row goes
  for (const uint32_t row : shuffled) ++next[buckets[longer(row)] + 1];
  std::partial_sum(next.begin(), next.end(), next.begin());
  std::vector<uint32_t> ordered(shuffled.size());
  for (const uint32_t row : shuffled) ordered[next[buckets[longer(row)]]++] = row;
  return ordered;
}

// Cuts rows of these costs, in their order, into batches of at most `cap` and `max_rows`, each as full as can be. Calls
// cut(i) where a batch begins.
template <class Cut>
void cut_batches(const std::vector<uint32_t>& costs, uint64_t cap, uint64_t max_rows, Cut&& cut) {
  uint64_t cost = 0, rows = 0;
  for (size_t i = 0; i < costs.size(); ++i) {
    if (rows == 0 || cost + costs[i] > cap || rows == max_rows) {
      cut(i);
      cost = rows = 0;
    }
    cost += costs[i];
    ++rows;
  }
}

// The smallest cap that makes no more batches than the budget itself does: what evens them out. Halving finds it, as
// the number of batches only grows when the cap shrinks.
uint64_t even_cap(const std::vector<uint32_t>& costs, uint64_t budget, uint64_t max_rows) {
  const auto count = [&](uint64_t cap) {
    uint64_t batches = 0;
    cut_batches(costs, cap, max_rows, [&](size_t) { ++batches; });
    return batches;
  };
  const uint64_t wanted = count(budget);
  uint64_t low = 0, high = budget;  // low makes too many (or is 0), high does not
  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;
    (count(middle) > wanted ? low : high) = middle;
  }
  return high;
}

}  // namespace

double PlanReport::padding_share() const {
  const uint64_t real = source_tokens + target_tokens, padded = padded_source_tokens + padded_target_tokens;
  return padded == 0 ? 0.0 : 1.0 - static_cast<double>(real) / static_cast<double>(padded);
}

std::string PlanReport::text() const {
  return fmt::format(
      "{} batches of {} to {} tokens; {} pairs, {} source and {} target tokens; padded to the longest row of a batch "
      "{:.1f} % would be padding",
      batches, smallest_batch, largest_batch, rows, source_tokens, target_tokens, 100 * padding_share());
}

Json PlanReport::json() const {
  return {{"batches", batches},
          {"rows", rows},
          {"source_tokens", source_tokens},
          {"target_tokens", target_tokens},
          {"padded_source_tokens", padded_source_tokens},
          {"padded_target_tokens", padded_target_tokens},
          {"smallest_batch", smallest_batch},
          {"largest_batch", largest_batch},
          {"padding_share", padding_share()}};
}

BatchPlan::BatchPlan(std::span<const uint16_t> source_lengths, std::span<const uint16_t> target_lengths,
                     const BatchOptions& options, uint64_t epoch) {
  check_options(options);
  check<ShapeError>(source_lengths.size() == target_lengths.size(), "batch plan: {} source lengths, {} target lengths",
                    source_lengths.size(), target_lengths.size());
  check<DataError>(!target_lengths.empty() && target_lengths.size() <= std::numeric_limits<uint32_t>::max(),
                   "batch plan: {} rows, expected 1 to 2^32 - 1", target_lengths.size());
  rows_ = rows_by_bucket(source_lengths, target_lengths, options, epoch);

  std::vector<uint32_t> costs(rows_.size());
  for (size_t i = 0; i < costs.size(); ++i)
    costs[i] = target_lengths[rows_[i]] + (options.count_source ? source_lengths[rows_[i]] : 0u);
  const uint64_t max_rows = options.max_rows ? options.max_rows : std::numeric_limits<uint64_t>::max();
  const uint64_t cap = even_cap(costs, options.max_tokens, max_rows);
  cut_batches(costs, cap, max_rows, [&](size_t i) { begins_.push_back(static_cast<uint32_t>(i)); });

  order_.resize(begins_.size());
  begins_.push_back(static_cast<uint32_t>(rows_.size()));
  std::iota(order_.begin(), order_.end(), 0u);
  if (options.shuffle) Random(stream_seed(options.seed, Stream::kShuffleBatches), epoch).shuffle(order_);

  measure(source_lengths, target_lengths, options.count_source);
}

void BatchPlan::measure(std::span<const uint16_t> source_lengths, std::span<const uint16_t> target_lengths,
                        bool count_source) {
  report_.batches = batches();
  report_.rows = rows_.size();
  report_.smallest_batch = std::numeric_limits<uint64_t>::max();
  uint64_t most = 0;
  for (uint64_t k = 0; k < batches(); ++k) {
    uint64_t source = 0, target = 0, longest_source = 0, longest_target = 0;
    for (const uint32_t row : rows(k)) {
      source += source_lengths[row];
      target += target_lengths[row];
      longest_source = std::max<uint64_t>(longest_source, source_lengths[row]);
      longest_target = std::max<uint64_t>(longest_target, target_lengths[row]);
    }
    report_.source_tokens += source;
    report_.target_tokens += target;
    report_.padded_source_tokens += longest_source * rows(k).size();
    report_.padded_target_tokens += longest_target * rows(k).size();
    const uint64_t cost = target + (count_source ? source : 0);
    report_.smallest_batch = std::min(report_.smallest_batch, cost);
    report_.largest_batch = std::max(report_.largest_batch, cost);
    if (source + target > most) {
      most = source + target;
      heaviest_ = k;
    }
  }
}

std::span<const uint32_t> BatchPlan::rows(uint64_t k) const {
  const uint32_t batch = order_[k];
  return std::span(rows_).subspan(begins_[batch], begins_[batch + 1] - begins_[batch]);
}

std::shared_ptr<const BatchPlan> BatchPlans::plan(uint64_t epoch) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [number, plan] : recent_)
    if (number == epoch) return plan;
  auto plan = std::make_shared<const BatchPlan>(source_lengths_, target_lengths_, options_, epoch);
  if (recent_.size() == 2) recent_.erase(recent_.begin());
  recent_.emplace_back(epoch, plan);
  return plan;
}

void BatchPlans::set_max_tokens(uint32_t tokens) {
  const std::lock_guard lock(mutex_);
  options_.max_tokens = tokens;
  recent_.clear();
}

void BatchPlans::keep_order() {
  const std::lock_guard lock(mutex_);
  options_.shuffle = false;
  recent_.clear();
}

namespace {

BatchOptions of_all(BatchOptions options) {
  options.max_tokens = share().of_all(options.max_tokens);
  return options;
}

}  // namespace

ParallelBatches::ParallelBatches(const EncodedCorpus& corpus, const BatchOptions& options)
    : corpus_(corpus), plans_(corpus.source_lengths(), corpus.target_lengths(), of_all(options)) {}

ParallelBatch ParallelBatches::batch(uint64_t epoch, uint64_t k) const {
  const auto current = plan(epoch);
  check<DataError>(k < current->batches(), "epoch {} has {} batches, there is no batch {}", epoch, current->batches(),
                   k);
  ParallelBatch batch;
  for (const uint32_t row : share().rows(current->rows(k))) {
    const EncodedPair pair = corpus_.pair(row, epoch);
    batch.source.append(pair.source);
    batch.target.append(pair.target);
    batch.lines.push_back(corpus_.line(row));
  }
  return batch;
}

}  // namespace heed::data
