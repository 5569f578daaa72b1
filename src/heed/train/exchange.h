// What processes that train together send each other of their flat buffers: over MPI where those lie on the host, from
// GPU to GPU where they lie there. All processes make the same calls in the same order.
#pragma once

#include <memory>

#include "heed/dist/communicator.h"
#include "heed/tensor/backends.h"
#include "heed/tensor/tensor.h"

namespace heed::train {

class Exchange {
 public:
  // For buffers on this device. `together` must outlive the object.
  Exchange(dist::Communicator& together, Device device);

  // Numbers [begin, end) of a flat f32 buffer = their sum over all processes, or what process `from` has there; begun
  // here and done when finish() returns. progress() is to be called now and then in between.
  void begin_sum(const Tensor& flat, int64_t begin, int64_t end);
  void begin_broadcast(const Tensor& flat, int64_t begin, int64_t end, int from);
  void progress() { together_.progress(); }
  void finish();

 private:
  dist::Communicator& together_;
  std::unique_ptr<DeviceGroup> gpus_;  // nullptr: the buffers lie on the host
};

}  // namespace heed::train
