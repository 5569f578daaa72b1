#include "heed/ops/weight.h"

#include "heed/tensor/backends.h"

namespace heed::ops {

std::shared_ptr<const PackedMatrix> Weight::packed() const {
  const std::lock_guard lock(derived_->mutex);
  const uint64_t version = master_.body()->version;
  if (!derived_->packed || derived_->version != version) {
    derived_->packed = backend(master_.device()).pack(master_.view(), transposed_);
    derived_->version = version;
  }
  return derived_->packed;
}

}  // namespace heed::ops
