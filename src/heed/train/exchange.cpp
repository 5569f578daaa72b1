#include "heed/train/exchange.h"

#include <algorithm>

namespace heed::train {

Exchange::Exchange(dist::Communicator& together, Device device) : together_(together) {
  if (device.is_host()) return;
  const std::string group = together.broadcast_text(together.is_first() ? new_device_group() : "");
  gpus_ = join_device_group(device, group, together.rank(), together.world());
}

void Exchange::begin_sum(const Tensor& flat, int64_t begin, int64_t end) {
  const TensorView part = flat.slice_rows(begin, end - begin).view();
  if (gpus_) gpus_->begin_sum(part);
  else together_.begin_sum({part.as<float>(), static_cast<size_t>(end - begin)});
}

void Exchange::begin_broadcast(const Tensor& flat, int64_t begin, int64_t end, int from) {
  if (gpus_) return gpus_->begin_broadcast(flat.slice_rows(begin, end - begin).view(), from);
  constexpr int64_t kBlock = int64_t{1} << 26;  // MPI counts bytes in 31 bits
  for (; begin < end; begin += kBlock) {
    const auto count = static_cast<size_t>(std::min(kBlock, end - begin));
    together_.broadcast(std::as_writable_bytes(std::span(flat.data<float>() + begin, count)), from);
  }
}

void Exchange::finish() {
  if (gpus_) gpus_->finish();
  else together_.finish();
}

}  // namespace heed::train
