#include "heed/optim/optimizer.h"

#include <algorithm>
#include <unordered_set>

#include "heed/base/error.h"
#include "heed/base/threads.h"
#include "heed/tensor/backends.h"

namespace heed::optim {
namespace {

// A parameter in the flat buffers.
struct Place {
  const nn::NamedTensor* parameter;
  int64_t begin, end;
};

std::vector<Place> places_of(const nn::ParameterStore& parameters) {
  std::vector<Place> places;
  const Tensor& values = parameters.values();
  for (const nn::NamedTensor& named : parameters.named()) {
    if (named.tensor.body()->storage != values.body()->storage) continue;  // a constant
    const int64_t begin = named.tensor.data<float>() - values.data<float>();
    places.push_back({&named, begin, begin + named.tensor.numel()});
  }
  return places;
}

// Muon's matrices, in order.
std::vector<Matrix> matrices_of(const nn::ParameterStore& parameters, const MuonMatrices& muon) {
  std::vector<Matrix> matrices;
  if (muon.names.empty()) return matrices;
  std::unordered_set<std::string> names(muon.names.begin(), muon.names.end());
  for (const Place& place : places_of(parameters)) {
    const auto& [name, tensor] = *place.parameter;
    if (names.erase(name) == 0) continue;
    check(tensor.shape().rank() == 2, "Muon updates matrices: {} is {}", name, tensor.shape().to_string());
    matrices.push_back({place.begin, tensor.shape().rows(), tensor.shape().cols()});
  }
  check(names.empty(), "Muon is to update {}, which is no parameter", names.empty() ? "" : *names.begin());
  return matrices;
}

const Matrix* matrix_at(const std::vector<Matrix>& matrices, int64_t place) {
  const auto starts_after = [](int64_t value, const Matrix& matrix) { return value < matrix.begin; };
  const auto after = std::upper_bound(matrices.begin(), matrices.end(), place, starts_after);
  if (after == matrices.begin() || place >= std::prev(after)->end()) return nullptr;
  return &*std::prev(after);
}

// What Adam updates: all but the matrices, neighbours that decay alike in one run.
std::vector<AdamRun> runs_of(const nn::ParameterStore& parameters, const std::vector<Matrix>& matrices, bool one_kind) {
  if (one_kind && matrices.empty()) return {{0, parameters.values().numel()}};
  std::vector<AdamRun> runs;
  bool joins = false;
  for (const Place& place : places_of(parameters)) {
    if (matrix_at(matrices, place.begin)) {
      joins = false;
      continue;
    }
    const bool decays = one_kind || place.parameter->tensor.shape().rank() >= 2;
    if (!joins || runs.back().decays != decays) runs.push_back({place.begin, place.begin, 1, decays});
    runs.back().end = place.end;
    joins = true;
  }
  return runs;
}

}  // namespace

std::vector<Share> shares_of(const nn::ParameterStore& parameters, const MuonMatrices& muon, int count) {
  constexpr int64_t kAlignment = 16;  // numbers: a cache line
  const std::vector<Matrix> matrices = matrices_of(parameters, muon);
  const int64_t total = parameters.values().numel();
  std::vector<Share> shares;
  for (int i = 0; i < count; ++i) {
    int64_t end = i + 1 == count ? total : total / count * (i + 1) / kAlignment * kAlignment;
    if (const Matrix* cut = matrix_at(matrices, end)) end = cut->begin;
    const int64_t begin = shares.empty() ? 0 : shares.back().end;
    shares.push_back({begin, std::max(begin, end)});
  }
  return shares;
}

Optimizer::Optimizer(const nn::ParameterStore& parameters, const AdamParams& adam, bool decay_all,
                     const MuonMatrices& muon, const std::optional<Share>& share)
    : adam_(adam),
      share_(share.value_or(Share{0, parameters.values().numel()})),
      momentum_(muon.momentum),
      muon_product_(muon.product),
      first_(Tensor::zeros({share_.count()}, DType::kF32, parameters.values().device())),
      second_(Tensor::zeros({share_.count()}, DType::kF32, parameters.values().device())) {
  adam_.step = 0;
  const std::vector<Matrix> matrices = matrices_of(parameters, muon);
  for (const Matrix& matrix : matrices)
    if (matrix.begin >= share_.begin && matrix.begin < share_.end) matrices_.push_back(matrix);
  for (AdamRun run : runs_of(parameters, matrices, decay_all || adam.weight_decay == 0)) {
    run.begin = std::max(run.begin, share_.begin);
    run.end = std::min(run.end, share_.end);
    if (run.begin < run.end) runs_.push_back(run);
  }
}

void Optimizer::step(nn::ParameterStore& parameters, double learning_rate, float gradient_scale) {
  ++adam_.step;
  adam_.learning_rate = static_cast<float>(learning_rate);
  adam_.gradient_scale = gradient_scale;
  std::vector<AdamRun> runs;
  for (const auto& [first, count, factor] : parameters.rates())
    for (const AdamRun& run : runs_) {
      const int64_t begin = std::max(first, run.begin), end = std::min(first + count, run.end);
      if (begin >= end) continue;
      runs.push_back({begin - share_.begin, end - share_.begin, static_cast<float>(factor), run.decays});
    }
  backend(parameters.values().device())
      .adam(share_of(parameters.values()).view(), share_of(parameters.gradients()).view(), first_.view(),
            second_.view(), runs, adam_);
  step_matrices(parameters);
  parameters.values_changed();
}

void Optimizer::step_matrices(const nn::ParameterStore& parameters) {
  const auto factor_of = [&](const Matrix& matrix) {
    for (const auto& [first, count, factor] : parameters.rates())
      if (matrix.begin >= first && matrix.begin < first + count) return static_cast<float>(factor);
    return 0.0f;  // frozen
  };
  const Device device = parameters.values().device();
  const auto update = [&](const Matrix& matrix) {
    const float factor = factor_of(matrix);
    if (factor == 0) return;
    const auto part = [&](const Tensor& flat, int64_t first) {
      TensorView view = flat.slice_rows(matrix.begin - first, matrix.rows * matrix.cols).view();
      view.shape = {matrix.rows, matrix.cols};
      view.row_stride = matrix.cols;
      return view;
    };
    muon(device, part(parameters.values(), 0), part(parameters.gradients(), 0), part(first_, share_.begin),
         {adam_.learning_rate * factor, momentum_, adam_.weight_decay, adam_.gradient_scale, muon_product_});
  };
  // Small matrices keep one thread each busy; kernels of a GPU are begun by one.
  if (!device.is_host()) {
    std::ranges::for_each(matrices_, update);
    return;
  }
  parallel_for(static_cast<int64_t>(matrices_.size()), 1, [&](int64_t begin, int64_t end, int) {
    std::for_each(matrices_.begin() + begin, matrices_.begin() + end, update);
  });
}

}  // namespace heed::optim
