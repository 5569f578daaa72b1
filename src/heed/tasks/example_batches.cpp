#include "heed/tasks/example_batches.h"

#include <algorithm>
#include <limits>

#include "heed/base/error.h"

namespace heed::tasks {
namespace {

using Made = std::unique_ptr<TrainingBatch>;

class ExampleStream final : public BatchStream {
 public:
  ExampleStream(data::BatchSourceOf<Made> source, data::Cursor start, size_t ahead)
      : prefetcher_(std::move(source), start, ahead) {}

  StreamedBatch next() override {
    data::PreparedBatchOf<Made> prepared = prefetcher_.next();
    return {prepared.cursor, prepared.last_in_epoch, std::move(prepared.batch)};
  }

 private:
  data::PrefetcherOf<Made> prefetcher_;
};

}  // namespace

ExampleBatches::ExampleBatches(std::span<const uint32_t> lengths, uint32_t batch_size, uint32_t tokens, uint64_t seed,
                               Make make)
    : by_tokens_(tokens > 0), make_(std::move(make)) {
  check<UsageError>(!lengths.empty(), "there are no examples to train on");
  check<UsageError>(batch_size > 0 || tokens > 0, "--batch-size is 0");
  constexpr uint32_t kMost = std::numeric_limits<uint16_t>::max();
  for (const uint32_t length : lengths) {
    lengths_.push_back(static_cast<uint16_t>(std::min(length, kMost)));
    counts_.push_back(by_tokens_ ? lengths_.back() : uint16_t{1});
  }
  data::BatchOptions options;
  options.seed = seed;
  options.max_tokens = data::share().of_all(by_tokens_ ? tokens : batch_size);
  const auto [shortest, longest] = std::minmax_element(lengths_.begin(), lengths_.end());
  if (*shortest == *longest) options.bucket_growth = 0;
  plans_.emplace(lengths_, counts_, options);
}

std::unique_ptr<TrainingBatch> ExampleBatches::batch(uint64_t epoch, uint64_t k) const {
  return make_(epoch, data::share().rows(plans_->plan(epoch)->rows(k)));
}

std::unique_ptr<BatchStream> ExampleBatches::stream(data::Cursor start, size_t ahead) const {
  return std::make_unique<ExampleStream>(
      data::BatchSourceOf<Made>{[this](uint64_t epoch) { return count(epoch); },
                                [this](uint64_t epoch, uint64_t k) { return batch(epoch, k); }},
      start, ahead);
}

std::unique_ptr<TrainingBatch> ExampleBatches::heaviest() const { return batch(0, plans_->plan(0)->heaviest()); }

std::string describe_examples(std::span<const uint32_t> examples, const std::function<std::string(uint32_t)>& place) {
  constexpr size_t kShown = 8;
  std::string text = "examples";
  for (const uint32_t i : examples.first(std::min(kShown, examples.size())))
    text += fmt::format(" {}", place ? place(i) : std::to_string(i + 1));
  return examples.size() > kShown ? fmt::format("{} and {} more", text, examples.size() - kShown) : text;
}

}  // namespace heed::tasks
