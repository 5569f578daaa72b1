#include "heed/train/stepper.h"

#include <algorithm>
#include <cmath>

#include "heed/autograd/autograd.h"
#include "heed/base/random.h"
#include "heed/models/parameter_place.h"
#include "heed/optim/clipping.h"
#include "heed/tensor/backends.h"

namespace heed::train {

uint64_t dropout_key(uint64_t seed, int64_t step) {
  constexpr uint32_t kStream = 0x64726f70;  // no other use of the seed draws from it
  const auto s = static_cast<uint64_t>(step);
  const PhiloxCounter words =
      philox({kStream, 0, static_cast<uint32_t>(s), static_cast<uint32_t>(s >> 32)}, philox_key(seed));
  return uint64_t{words[0]} << 32 | words[1];
}

namespace {

optim::MuonMatrices muon_of(const nn::ParameterStore& parameters, const TrainOptions& options) {
  if (!options.muon) return {};
  return {models::layer_matrices(parameters), options.momentum, options.dtype};
}

// None where each process updates everything.
std::vector<optim::Share> shares_of(const nn::ParameterStore& parameters, const TrainOptions& options) {
  if (!options.shard_optimizer || !options.together || options.together->world() == 1) return {};
  return optim::shares_of(parameters, muon_of(parameters, options), options.together->world());
}

std::optional<optim::Share> own_share(const std::vector<optim::Share>& shares, const TrainOptions& options) {
  if (shares.empty()) return std::nullopt;
  return shares[static_cast<size_t>(options.together->rank())];
}

}  // namespace

Stepper::Stepper(tasks::TrainingTask& task, const TrainOptions& options)
    : task_(task),
      options_(options),
      shares_(shares_of(task.parameters(), options)),
      optimizer_(task.parameters(), options.adam, options.decay_all, muon_of(task.parameters(), options),
                 own_share(shares_, options)) {
  task.parameters().compute_in(options.dtype);
  if (options.together && options.together->world() > 1) {
    exchange_.emplace(*options.together, task.parameters().values().device());
    sum_.emplace(*exchange_, task.parameters());
  }
  if (options.ema > 0) ema_ = task.parameters().values().clone();
}

void Stepper::take_first_parameters() {
  if (!exchange_) return;
  const Tensor& values = task_.parameters().values();
  exchange_->begin_broadcast(values, 0, values.numel(), 0);
  exchange_->finish();
  task_.parameters().values_changed();
}

void Stepper::exchange_shares() {
  for (size_t i = 0; i < shares_.size(); ++i)
    exchange_->begin_broadcast(task_.parameters().values(), shares_[i].begin, shares_[i].end, static_cast<int>(i));
  exchange_->finish();
  task_.parameters().values_changed();
}

Stepper::Moments Stepper::moments() {
  if (shares_.empty()) return {optimizer_.first_moment(), optimizer_.second_moment()};
  return {whole_moment(optimizer_.first_moment()), whole_moment(optimizer_.second_moment())};
}

// On the host of the first process; elsewhere undefined.
Tensor Stepper::whole_moment(const Tensor& mine) {
  Exchange on_host(*options_.together, {});
  Tensor whole;
  if (options_.together->is_first()) whole = Tensor::zeros({task_.parameters().values().numel()});
  for (size_t i = 0; i < shares_.size(); ++i) {
    const bool is_mine = static_cast<int>(i) == options_.together->rank();
    const Tensor part = is_mine ? mine.to({}) : Tensor::empty({shares_[i].count()});
    on_host.begin_broadcast(part, 0, part.numel(), static_cast<int>(i));
    on_host.finish();
    if (whole.defined()) backend().copy(part.view(), whole.slice_rows(shares_[i].begin, part.numel()).view());
  }
  return whole;
}

ops::DeviceSum Stepper::backward_of(const tasks::StreamedBatch& streamed, const nn::Pass& pass, double divisor,
                                    bool last) {
  if (streamed.batch->targets() == 0) return {};  // a share may be empty
  const tasks::BatchLoss loss = task_.loss(*streamed.batch, pass, divisor);
  GradReadyHook ready;
  if (sum_ && last) ready = [this](TensorBody& leaf) { sum_->ready(leaf); };
  backward(loss.loss, 1, ready);
  return loss.loss_sum;
}

std::vector<ops::DeviceSum> Stepper::accumulate(int64_t step, const std::vector<tasks::StreamedBatch>& batches,
                                                StepOutcome& outcome) {
  for (const auto& streamed : batches) outcome.targets += streamed.batch->targets();
  if (sum_) {
    auto targets = static_cast<double>(outcome.targets);
    options_.together->sum({&targets, 1});
    outcome.targets = static_cast<int64_t>(targets);
  }
  const double divisor = static_cast<double>(std::max<int64_t>(outcome.targets, 1));
  nn::Pass pass;
  pass.training = true;
  pass.recompute = options_.recompute;
  pass.dropout_key = dropout_key(options_.seed, step);
  task_.parameters().clear_gradients();
  if (sum_) sum_->begin();
  std::vector<ops::DeviceSum> losses;
  losses.reserve(batches.size());
  for (const auto& streamed : batches)
    losses.push_back(backward_of(streamed, pass, divisor, &streamed == &batches.back()));
  task_.parameters().complete_gradients();
  if (sum_) sum_->finish();
  return losses;
}

// The gradient's norm is what the host waits for; nothing before it needs to be known.
StepOutcome Stepper::step(int64_t step, const std::vector<tasks::StreamedBatch>& batches) {
  StepOutcome outcome;
  const std::vector<ops::DeviceSum> losses = accumulate(step, batches, outcome);
  nn::ParameterStore& parameters = task_.parameters();
  const Tensor& gradients = parameters.gradients();
  const double norm = std::sqrt(backend(gradients.device()).sum_of_squares(gradients.view()));
  for (const ops::DeviceSum& loss : losses) outcome.loss_sum += loss;
  if (sum_) options_.together->sum({&outcome.loss_sum, 1});
  outcome.finite = std::isfinite(outcome.loss_sum);
  if (!outcome.finite) return outcome;
  outcome.gradient_norm = norm;
  outcome.finite = std::isfinite(norm);
  if (!outcome.finite) return outcome;
  optimizer_.step(parameters, rate(step), optim::clip_scale(norm, options_.clip_norm));
  if (!shares_.empty()) exchange_shares();
  if (ema_.defined()) update_ema();
  return outcome;
}

void Stepper::update_ema() {
  const Tensor& values = task_.parameters().values();
  // At first the average follows quickly, so that it forgets the initial values.
  const auto t = static_cast<double>(optimizer_.steps());
  const double decay = std::min(options_.ema, (1 + t) / (10 + t));
  Backend& device = backend(values.device());
  device.scale(ema_.view(), static_cast<float>(decay), false, ema_.view());
  device.scale(values.view(), static_cast<float>(1 - decay), true, ema_.view());
}

}  // namespace heed::train
