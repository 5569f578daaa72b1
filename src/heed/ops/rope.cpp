// Rotary positions (Su et al. 2021, "RoFormer", section 3.4.2), in the layout that pairs a head's two halves.
#include "heed/ops/ops.h"
#include "heed/tensor/backends.h"

namespace heed::ops {

Tensor rope(const Tensor& x, const Rotation& rotation) {
  if (!rotation.table.defined()) return x;
  const int64_t head_dim = rotation.table.shape().cols(), places = rotation.table.dim(0);
  check<ShapeError>(head_dim > 0 && head_dim % 2 == 0 && x.shape().cols() % head_dim == 0,
                    "rope: {} columns for heads of {}, which must be even", x.shape().cols(), head_dim);
  check<ShapeError>(rotation.positions.numel() == x.shape().rows(), "rope: {} positions for {} rows",
                    rotation.positions.numel(), x.shape().rows());
  for (const int32_t p : std::span(rotation.positions.data<int32_t>(), static_cast<size_t>(rotation.positions.numel())))
    check<ShapeError>(p >= 0 && p < places, "rope: position {} of a table of {}", p, places);
  const Tensor table = rotation.table.to(x.device()), positions = rotation.positions.to(x.device());
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  backend(x.device()).rope(x.view(), positions.view(), table.view(), false, false, y.view());
  record(y, {&x}, [x, table, positions](const Tensor& dy) {  // dx = R^T dy, a rotation's inverse being its transpose
    if (auto dx = grad_slot(x))
      backend(dy.device()).rope(dy.view(), positions.view(), table.view(), true, dx.accumulate, dx.view());
  });
  return y;
}

}  // namespace heed::ops
