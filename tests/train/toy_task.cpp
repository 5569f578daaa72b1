#include "toy_task.h"

#include <cmath>
#include <limits>

#include "heed/autograd/autograd.h"
#include "heed/models/weights.h"

namespace heed::testing {
namespace {

constexpr int kVocab = 31;  // with padding
constexpr uint64_t kHeldOut = 1'000'000;

struct ToyBatch final : tasks::TrainingBatch {
  models::Seq2SeqBatch pairs;
  uint64_t epoch = 0, k = 0;
  int64_t targets() const override { return pairs.target.tokens(); }
  std::string describe() const override { return fmt::format("toy {}.{}", epoch, k); }
};

class ToyStream final : public tasks::BatchStream {
 public:
  ToyStream(const ToyTask& task, data::Cursor cursor) : task_(task), cursor_(cursor) {}
  tasks::StreamedBatch next() override {
    const uint64_t count = task_.options().batches;
    if (cursor_.batch == count) cursor_ = {cursor_.epoch + 1, 0};
    tasks::StreamedBatch streamed{cursor_, cursor_.batch + 1 == count, task_.prepare(cursor_.epoch, cursor_.batch)};
    ++cursor_.batch;
    return streamed;
  }

 private:
  const ToyTask& task_;
  data::Cursor cursor_;
};

class ToyBatches final : public tasks::TrainingBatches {
 public:
  explicit ToyBatches(ToyTask& task) : task_(task) {}
  uint64_t count(uint64_t /*epoch*/) const override { return task_.options().batches; }
  std::unique_ptr<tasks::BatchStream> stream(data::Cursor start, size_t /*ahead*/) const override {
    return std::make_unique<ToyStream>(task_, start);
  }
  const char* option() const override { return "rows"; }
  uint32_t size() const override { return static_cast<uint32_t>(task_.options().rows); }
  void keep_order() override {}
  void resize(uint32_t size) override { task_.set_rows(static_cast<int>(size)); }
  std::unique_ptr<tasks::TrainingBatch> heaviest() const override { return task_.prepare(0, 0); }

 private:
  ToyTask& task_;
};

models::EncoderDecoderConfig toy_structure(float dropout) {
  models::EncoderDecoderConfig c;
  c.d_model = 32;
  c.encoder_layers = c.decoder_layers = 2;
  c.encoder_heads = c.decoder_heads = 2;
  c.encoder_ffn = c.decoder_ffn = 64;
  c.vocab_size = c.decoder_vocab_size = kVocab;
  c.max_positions = 16;
  c.dropout = dropout;
  c.pad_id = c.decoder_start_id = kVocab - 1;
  return c;
}

}  // namespace

ToyTask::ToyTask(const ToyOptions& options)
    : options_(options),
      model_(toy_structure(options.dropout), options.seed),
      batches_(std::make_unique<ToyBatches>(*this)) {}

std::unique_ptr<tasks::TrainingBatch> ToyTask::prepare(uint64_t epoch, uint64_t k) const {
  Random random(options_.seed, epoch, static_cast<uint32_t>(k));
  auto batch = std::make_unique<ToyBatch>();
  batch->epoch = epoch;
  batch->k = k;
  for (int i = 0; i < options_.rows; ++i) {
    std::vector<int32_t> row(2 + random.below(4));
    for (int32_t& id : row) id = 1 + static_cast<int32_t>(random.below(kVocab - 2));
    row.push_back(0);
    batch->pairs.source.append(row);
    batch->pairs.target.append(row);
    batch->pairs.examples.push_back(static_cast<uint32_t>(k * 1000 + static_cast<uint64_t>(i)));
  }
  return batch;
}

tasks::BatchLoss ToyTask::loss(const tasks::TrainingBatch& batch, const nn::Pass& pass, double divisor) const {
  const auto& toy = static_cast<const ToyBatch&>(batch);
  auto result = model_.loss(toy.pairs, {0, divisor, pass});
  const std::pair place{toy.epoch, toy.k};
  if (always_nan || nan_loss.contains(place)) result.loss_sum = std::numeric_limits<double>::quiet_NaN();
  if (nan_gradient.contains(place)) result.loss = ops::scale(result.loss, std::numeric_limits<float>::infinity());
  return {result.loss, result.loss_sum};
}

double ToyTask::accuracy() {
  const auto batch = prepare(kHeldOut, 0);
  const models::Seq2SeqBatch& pairs = static_cast<const ToyBatch&>(*batch).pairs;
  const NoGrad no_grad;
  const std::vector<float> logits = model_.logits(pairs, {}).to_vector<float>();
  size_t right = 0;
  for (size_t t = 0; t < pairs.target.ids.size(); ++t) {
    const auto row = logits.begin() + static_cast<int64_t>(t) * kVocab;
    right += std::max_element(row, row + kVocab) - row == pairs.target.ids[t] ? 1 : 0;
  }
  return static_cast<double>(right) / static_cast<double>(pairs.target.ids.size());
}

std::optional<tasks::ValidationResult> ToyTask::validate(const tasks::StopFlag& stop) {
  if (stop()) return std::nullopt;
  const auto turn = static_cast<size_t>(validations++);
  const auto batch = prepare(kHeldOut, 0);
  const NoGrad no_grad;
  const auto result = model_.loss(static_cast<const ToyBatch&>(*batch).pairs, {0, 1, {}});
  const double value = result.nll_sum / static_cast<double>(result.tokens);
  return tasks::ValidationResult{{{"loss", nan_validation ? std::nan("") : value}},
                                 scores && turn < scores->size() ? (*scores)[turn] : -value};
}

io::ModelContent ToyTask::content() {
  return {model_.config(), model_.generation_config(), models::named_views(model_.parameters()), {}};
}

std::unique_ptr<tasks::TrainingBatch> toy_rows(const tasks::TrainingBatch& batch, int begin, int end) {
  const auto& whole = static_cast<const ToyBatch&>(batch);
  auto part = std::make_unique<ToyBatch>();
  part->epoch = whole.epoch;
  part->k = whole.k;
  for (int i = begin; i < end; ++i) {
    part->pairs.source.append(whole.pairs.source.row(i));
    part->pairs.target.append(whole.pairs.target.row(i));
    part->pairs.examples.push_back(whole.pairs.examples[static_cast<size_t>(i)]);
  }
  return part;
}

train::TrainOptions toy_training(int64_t steps) {
  train::TrainOptions o;
  o.max_steps = steps;
  o.schedule.peak = 5e-3;
  o.schedule.warmup = 40;
  o.adam.beta2 = 0.98f;
  o.clip_norm = 1;
  o.valid_every = 10;
  o.save_every = 5;
  o.snapshot_every = 4;
  o.average = 3;
  o.log_every = 1;
  return o;
}

std::vector<double> Recorder::losses() const {
  std::vector<double> values;
  for (const auto& step : steps) values.push_back(step.loss);
  return values;
}

}  // namespace heed::testing
