// Losses over logits that are small enough to exist whole.
//
// As in linear_cross_entropy, the gradient of a softmax's loss is taken in the forward, in one pass over the logits.
#include <algorithm>

#include "heed/ops/ops.h"
#include "heed/tensor/backends.h"

namespace heed::ops {
namespace {

Tensor like(const Tensor& x) { return Tensor::empty(x.shape(), DType::kF32, x.device()); }

// The loss of `sum` whose gradient by `x` before the division is `dx` (undefined: x needs none).
LossResult finish(const Tensor& x, const Tensor& dx, double sum, int64_t targets, double divisor) {
  LossResult result{Tensor::full({1}, sum / divisor), sum, targets};
  record(result.loss, {&x}, [x, dx, divisor](const Tensor& dloss) {
    const auto factor = static_cast<float>(dloss.item() / divisor);
    if (auto slot = grad_slot(x)) backend(x.device()).scale(dx.view(), factor, slot.accumulate, slot.view());
  });
  return result;
}

}  // namespace

// loss = lse(z) - z_target;  dz = softmax(z) - onehot(target), both with smoothing (Szegedy et al. 2016, section 7)
LossResult cross_entropy(const Tensor& scores, const Tensor& host_targets, float smoothing, double divisor,
                         const Tensor& row_weights) {
  const Tensor logits = cast(scores, DType::kF32);
  const int64_t rows = logits.shape().rows(), classes = logits.shape().cols();
  check<ShapeError>(host_targets.numel() == rows, "cross entropy: {} targets for {} rows", host_targets.numel(), rows);
  int64_t count = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const int32_t target = host_targets.data<int32_t>()[r];
    check<ShapeError>(target < classes, "cross entropy: target {} of {} classes", target, classes);
    count += target >= 0;
  }
  const Tensor losses = Tensor::empty({rows}, DType::kF32, logits.device()), nll = like(losses);
  const Tensor dlogits = needs_grad({&logits}) ? like(logits) : Tensor();
  Backend& on = backend(logits.device());
  const Tensor targets = host_targets.to(logits.device());
  on.cross_entropy(logits.view(), targets.view(), smoothing, losses.view(), nll.view(), dlogits.view());
  if (row_weights.defined()) {
    check<ShapeError>(row_weights.numel() == rows, "cross entropy: {} weights for {} rows", row_weights.numel(), rows);
    const std::vector<float> weights = row_weights.to_vector<float>();
    on.multiply(losses.view(), row_weights.to(logits.device()).view(), false, losses.view());
    for (int64_t r = 0; dlogits.defined() && r < rows; ++r) {
      const TensorView row = dlogits.slice_rows(r, 1).view();
      on.scale(row, weights[static_cast<size_t>(r)], false, row);
    }
  }
  return finish(logits, dlogits, on.sum(losses.view()), count, divisor);
}

// -v log sigmoid(z) - (1 - v) log(1 - sigmoid(z)) is the cross entropy of the logits (0, z) with the class h that v is
// nearer to, plus (h - v) z: exact where v is 0 or 1.
LossResult binary_cross_entropy(const Tensor& scores, const Tensor& values, double divisor) {
  const Tensor logits = cast(scores, DType::kF32);
  check<ShapeError>(logits.shape() == values.shape(), "binary cross entropy: logits {}, values {}",
                    logits.shape().to_string(), values.shape().to_string());
  const int64_t n = logits.numel();
  std::vector<int32_t> classes(static_cast<size_t>(n));
  std::vector<float> rest(static_cast<size_t>(n));
  const std::vector<float> v = values.to_vector<float>();
  for (size_t i = 0; i < v.size(); ++i) {
    classes[i] = v[i] > 0.5f;
    rest[i] = static_cast<float>(classes[i]) - v[i];
  }
  const Tensor z = logits.reshape({n, 1}), zeros = Tensor::zeros({n, 1}, DType::kF32, logits.device());
  const LossResult hard = cross_entropy(concatenate_columns({zeros, z}), Tensor::from(classes, {n}), 0, divisor);
  const Tensor soft = sum(multiply(z, Tensor::from(rest, {n, 1}, logits.device())));
  return {add(hard.loss, scale(soft, static_cast<float>(1 / divisor))), hard.loss_sum + soft.item(), n};
}

// loss = sum of (x - v)^2;  dx = 2 (x - v)
LossResult squared_error(const Tensor& predicted, const Tensor& values, double divisor) {
  const Tensor x = cast(predicted, DType::kF32);
  check<ShapeError>(x.shape() == values.shape(), "squared error: {} and {}", x.shape().to_string(),
                    values.shape().to_string());
  const Tensor difference = like(x);
  Backend& on = backend(x.device());
  on.scale(values.to(x.device()).view(), -1, false, difference.view());
  on.add(x.view(), difference.view(), {}, difference.view());
  const double sum = on.sum_of_squares(difference.view());
  on.scale(difference.view(), 2, false, difference.view());
  return finish(x, difference, sum, x.numel(), divisor);
}

// Each row's begin logits, and its end logits, are one softmax over the row's tokens.
LossResult span_cross_entropy(const Tensor& scores, std::span<const int32_t> offsets, std::span<const int32_t> begins,
                              std::span<const int32_t> ends, double divisor) {
  const Tensor logits = cast(scores, DType::kF32);
  const int64_t tokens = logits.shape().rows(), rows = static_cast<int64_t>(offsets.size()) - 1;
  check<ShapeError>(logits.shape().cols() == 2 && rows >= 0 && offsets[static_cast<size_t>(rows)] == tokens,
                    "span cross entropy: logits {} for {} rows", logits.shape().to_string(), rows);
  check<ShapeError>(std::ssize(begins) == rows && std::ssize(ends) == rows,
                    "span cross entropy: {} begins and {} ends for {} rows", begins.size(), ends.size(), rows);
  Backend& on = backend(logits.device());
  const Tensor dlogits = Tensor::zeros(logits.shape(), DType::kF32, logits.device());
  const Tensor column = Tensor::empty({tokens, 1}, DType::kF32, logits.device());
  const Tensor loss = Tensor::empty({1}, DType::kF32, logits.device()), nll = like(loss);
  std::vector<bool> counted(static_cast<size_t>(rows));
  double sum = 0;
  for (const int side : {0, 1}) {
    on.copy(logits.slice_columns(side, 1).view(), column.view());
    for (size_t i = 0; i < counted.size(); ++i) {
      const int32_t first = offsets[i], length = offsets[i + 1] - first, place = side == 0 ? begins[i] : ends[i];
      const Tensor part = column.slice_rows(first, length);
      if (place < 0 || place >= length) {
        on.fill(part.view(), 0);
        continue;
      }
      const TensorView row = part.reshape({1, length}).view();
      const Tensor target = Tensor::from(std::vector<int32_t>{place}, {1}, logits.device());
      on.cross_entropy(row, target.view(), 0, loss.view(), nll.view(), row);
      sum += loss.item() / 2;
      counted[i] = true;
    }
    on.scale(column.view(), 0.5f, false, dlogits.slice_columns(side, 1).view());
  }
  return finish(logits, dlogits, sum, std::count(counted.begin(), counted.end(), true), divisor);
}

}  // namespace heed::ops
