#include "heed/ops/weight.h"

#include <algorithm>

#include "heed/tensor/backends.h"

namespace heed::ops {

std::shared_ptr<const PackedMatrix> Weight::packed() const {
  const std::lock_guard lock(derived_->mutex);
  const uint64_t version = master_.body()->version;
  if (!derived_->packed || derived_->version != version) {
    derived_->packed = backend(master_.device()).pack(master_.view(), transposed_);
    derived_->version = version;
    if (derived_->gives_up) master_.body()->storage.reset();
  }
  return derived_->packed;
}

Weight::Rows Weight::rows() const {
  if (!derived_->gives_up) return {master_, nullptr};
  const std::lock_guard lock(derived_->mutex);
  const TensorBody& body = *master_.body();
  if (!body.storage) return {{}, derived_->packed};
  return {Tensor::on_storage(body.storage, body.byte_offset, body.shape, body.dtype), nullptr};
}

void Weight::set_adapters(std::vector<Adapter> adapters) const {
  derived_->adapters = std::make_shared<const std::vector<Adapter>>(std::move(adapters));
}

const std::vector<Adapter>& Weight::adapters() const {
  static const std::vector<Adapter> kNone;
  return derived_->adapters ? *derived_->adapters : kNone;
}

bool Weight::adapters_drop() const {
  return std::ranges::any_of(adapters(), [](const Adapter& adapter) { return adapter.dropout > 0; });
}

}  // namespace heed::ops
