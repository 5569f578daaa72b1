// Losses over logits that are small enough to exist whole.
//
// As in linear_cross_entropy, the gradient of a softmax's loss is taken in the forward, in one pass over the logits.
#include <algorithm>
#include <utility>

#include "heed/ops/ops.h"
#include "heed/tensor/backends.h"

namespace heed::ops {
namespace {

Tensor like(const Tensor& x) { return Tensor::empty(x.shape(), DType::kF32, x.device()); }

// The loss that is the sum of `losses`, whose gradient by `x` before the division is `dx` (undefined: x needs none).
LossResult finish(const Tensor& x, const Tensor& dx, const Tensor& losses, int64_t targets, double divisor) {
  const Tensor loss = Tensor::empty({1}, DType::kF32, x.device());
  LossResult result{loss, sum_on_device(losses, divisor, loss), targets};
  record(result.loss, {&x}, [x, dx, divisor](const Tensor& dloss) {
    if (auto slot = grad_slot(x))
      backend(x.device()).scale_by(dx.view(), dloss.view(), divisor, slot.accumulate, slot.view());
  });
  return result;
}

// Each weight of a row as often as the row has columns: f32 [rows, columns].
Tensor along_rows(const Tensor& weights, int64_t columns, Device device) {
  std::vector<float> all;
  for (const float weight : weights.to_vector<float>()) all.insert(all.end(), static_cast<size_t>(columns), weight);
  return Tensor::from(all, {weights.numel(), columns}, device);
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
    on.multiply(losses.view(), row_weights.to(logits.device()).view(), false, losses.view());
    if (dlogits.defined())
      on.multiply(dlogits.view(), along_rows(row_weights, classes, logits.device()).view(), false, dlogits.view());
  }
  return finish(logits, dlogits, losses, count, divisor);
}

// sum of p_c (lse(z) - z_c) over classes c, where the p_c sum to s and h is the class of the largest, is s times the
// cross entropy of h, plus the sum of (s [c = h] - p_c) z_c: exact where one class has all.
LossResult soft_cross_entropy(const Tensor& scores, const Tensor& shares, double divisor) {
  const Tensor z = cast(scores, DType::kF32);
  check<ShapeError>(z.shape() == shares.shape(), "soft cross entropy: logits {}, shares {}", z.shape().to_string(),
                    shares.shape().to_string());
  const int64_t rows = z.shape().rows(), width = z.shape().cols();
  std::vector<int32_t> classes(static_cast<size_t>(rows), -100);
  std::vector<float> sums(classes.size()), rest(static_cast<size_t>(z.numel()));
  const std::vector<float> p = shares.to_vector<float>();
  for (size_t r = 0; r < classes.size(); ++r) {
    const auto row = std::span(p).subspan(r * static_cast<size_t>(width), static_cast<size_t>(width));
    const auto largest = std::max_element(row.begin(), row.end()) - row.begin();
    for (const float share : row) sums[r] += share;
    if (sums[r] > 0) classes[r] = static_cast<int32_t>(largest);
    const auto row_rest = std::span(rest).subspan(r * row.size(), row.size());
    for (size_t c = 0; c < row.size(); ++c) row_rest[c] = (std::cmp_equal(c, largest) ? sums[r] : 0) - row[c];
  }
  const LossResult hard = cross_entropy(z, Tensor::from(classes, {rows}), 0, divisor, Tensor::from(sums, {rows}));
  const Tensor dz = Tensor::from(rest, z.shape(), z.device()), products = like(z);
  backend(z.device()).multiply(z.view(), dz.view(), false, products.view());
  const LossResult linear = finish(z, dz, products, hard.targets, divisor);
  return {add(hard.loss, linear.loss), hard.loss_sum + linear.loss_sum, hard.targets};
}

// -v log sigmoid(z) - (1 - v) log(1 - sigmoid(z)): the cross entropy of the logits (0, z) with the shares (1 - v, v).
LossResult binary_cross_entropy(const Tensor& scores, const Tensor& values, double divisor) {
  const Tensor logits = cast(scores, DType::kF32);
  check<ShapeError>(logits.shape() == values.shape(), "binary cross entropy: logits {}, values {}",
                    logits.shape().to_string(), values.shape().to_string());
  const int64_t n = logits.numel();
  std::vector<float> shares;
  for (const float v : values.to_vector<float>()) shares.insert(shares.end(), {1 - v, v});
  const Tensor zeros = Tensor::zeros({n, 1}, DType::kF32, logits.device());
  return soft_cross_entropy(concatenate_columns({zeros, logits.reshape({n, 1})}), Tensor::from(shares, {n, 2}),
                            divisor);
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
  const Tensor squares = like(x);
  on.multiply(difference.view(), difference.view(), false, squares.view());
  on.scale(difference.view(), 2, false, difference.view());
  return finish(x, difference, squares, x.numel(), divisor);
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
  const Tensor losses = Tensor::zeros({2 * rows}, DType::kF32, logits.device());
  const Tensor nll = Tensor::empty({1}, DType::kF32, logits.device());
  std::vector<int32_t> places(begins.begin(), begins.end());
  places.insert(places.end(), ends.begin(), ends.end());
  const Tensor targets = Tensor::from(places, {2 * rows}, logits.device());
  std::vector<bool> counted(static_cast<size_t>(rows));
  for (const int side : {0, 1}) {
    on.copy(logits.slice_columns(side, 1).view(), column.view());
    for (int64_t i = 0; i < rows; ++i) {
      const auto at = static_cast<size_t>(i), entry = static_cast<size_t>(side * rows + i);
      const int32_t first = offsets[at], length = offsets[at + 1] - first;
      const Tensor part = column.slice_rows(first, length);
      if (places[entry] < 0 || places[entry] >= length) {
        on.fill(part.view(), 0);
        continue;
      }
      const auto of_entry = [&](const Tensor& x) { return x.slice_rows(side * rows + i, 1).view(); };
      const TensorView row = part.reshape({1, length}).view();
      on.cross_entropy(row, of_entry(targets), 0, of_entry(losses), nll.view(), row);
      counted[at] = true;
    }
    on.scale(column.view(), 0.5f, false, dlogits.slice_columns(side, 1).view());
  }
  on.scale(losses.view(), 0.5f, false, losses.view());
  return finish(logits, dlogits, losses, std::count(counted.begin(), counted.end(), true), divisor);
}

}  // namespace heed::ops
