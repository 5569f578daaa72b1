#include "heed/ops/weight.h"

#include <algorithm>

#include "heed/tensor/backends.h"

namespace heed::ops {

std::shared_ptr<const PackedMatrix> Weight::packed() const {
  const std::lock_guard lock(derived_->mutex);
  const uint64_t version = master_.body()->version;
  if (!derived_->packed || derived_->version != version) {
    derived_->device = master_.device();
    derived_->packed = pack();
    derived_->version = version;
    if (derived_->gives_up) master_.body()->storage.reset();
  }
  return derived_->packed;
}

std::shared_ptr<const PackedMatrix> Weight::pack() const {
  Backend& on = backend(master_.device());
  const TensorBody& body = *master_.body();
  // Within the memory that is given up, unless somebody still reads rows there.
  if (derived_->gives_up && !transposed_ && body.byte_offset == 0 && body.storage.use_count() == 1)
    if (auto packed = on.pack_in_place(master_.view(), body.storage->bytes(), body.storage)) return packed;
  return on.pack(master_.view(), transposed_);
}

Weight::Rows Weight::rows() const {
  if (!derived_->gives_up) return {master_, nullptr, {}};
  const std::lock_guard lock(derived_->mutex);
  const TensorBody& body = *master_.body();
  if (!body.storage) return {{}, derived_->packed, derived_->device};
  return {Tensor::on_storage(body.storage, body.byte_offset, body.shape, body.dtype), nullptr, {}};
}

Device Weight::device() const {
  const std::lock_guard lock(derived_->mutex);
  return master_.body()->storage ? master_.device() : derived_->device;
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
