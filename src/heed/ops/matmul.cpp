// The plain matrix product, and putting matrices together: parts of the composed twins.
#include <algorithm>

#include "heed/ops/ops.h"
#include "heed/tensor/backends.h"

namespace heed::ops {

Tensor matmul(const Tensor& left, const Tensor& right, bool ta, bool tb) {
  const Tensor a = cast(left, DType::kF32), b = cast(right, DType::kF32);
  check<ShapeError>(a.shape().rank() == 2 && b.shape().rank() == 2 && a.dim(ta ? 0 : 1) == b.dim(tb ? 1 : 0),
                    "matmul: {}{} and {}{}", a.shape().to_string(), ta ? " transposed" : "", b.shape().to_string(),
                    tb ? " transposed" : "");
  Tensor y = Tensor::empty({a.dim(ta ? 1 : 0), b.dim(tb ? 0 : 1)}, DType::kF32, a.device());
  backend(a.device()).gemm(a.view(), ta, b.view(), tb, 1, false, y.view());
  // y = a b: da = dy b^T, db = a^T dy; a transposed operand gets the transpose of that
  record(y, {&a, &b}, [a, b, ta, tb](const Tensor& dy) {
    Backend& on = backend(dy.device());
    if (auto da = grad_slot(a)) {
      if (ta) on.gemm(b.view(), tb, dy.view(), true, 1, da.accumulate, da.view());
      else on.gemm(dy.view(), false, b.view(), !tb, 1, da.accumulate, da.view());
    }
    if (auto db = grad_slot(b)) {
      if (tb) on.gemm(dy.view(), true, a.view(), ta, 1, db.accumulate, db.view());
      else on.gemm(a.view(), !ta, dy.view(), false, 1, db.accumulate, db.view());
    }
  });
  return y;
}

namespace {

// Copies each part into its window of a new tensor; the gradient of a part is its window of the whole's.
Tensor assemble(const std::vector<Tensor>& parts, Shape shape,
                const std::function<Tensor(const Tensor&, size_t)>& window) {
  const bool narrow = std::ranges::any_of(parts, [](const Tensor& part) { return part.dtype() == DType::kBF16; });
  Tensor y = Tensor::empty(shape, narrow ? DType::kBF16 : DType::kF32, parts.at(0).device());
  for (size_t i = 0; i < parts.size(); ++i) backend(y.device()).copy(parts[i].view(), window(y, i).view());
  std::vector<const Tensor*> inputs;
  inputs.reserve(parts.size());
  for (const Tensor& part : parts) inputs.push_back(&part);
  record(y, inputs, [parts, window](const Tensor& dy) {
    for (size_t i = 0; i < parts.size(); ++i)
      if (auto dx = grad_slot(parts[i])) backend(dy.device()).scale(window(dy, i).view(), 1, dx.accumulate, dx.view());
  });
  return y;
}

}  // namespace

Tensor concatenate_columns(const std::vector<Tensor>& parts) {
  std::vector<int64_t> begin{0};
  for (const Tensor& p : parts) begin.push_back(begin.back() + p.shape().cols());
  return assemble(parts, parts.at(0).shape().with(-1, begin.back()),
                  [begin](const Tensor& y, size_t i) { return y.slice_columns(begin[i], begin[i + 1] - begin[i]); });
}

Tensor concatenate_rows(const std::vector<Tensor>& parts) {
  std::vector<int64_t> begin{0};
  for (const Tensor& p : parts) begin.push_back(begin.back() + p.dim(0));
  return assemble(parts, parts.at(0).shape().with(0, begin.back()),
                  [begin](const Tensor& y, size_t i) { return y.slice_rows(begin[i], begin[i + 1] - begin[i]); });
}

}  // namespace heed::ops
