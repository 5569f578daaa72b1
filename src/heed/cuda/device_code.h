// What code that runs on the GPU and in the tests on the host alike is written with.
//
// The headers named *-device.h hold the arithmetic of the kernels that is easily got wrong. nvcc compiles them for the
// device, and tests/cuda compiles them with the host's compiler and holds them against the CPU's backend.
#pragma once

#include <cstdint>

#include "heed/core/host_device.h"

namespace heed::cuda {

// Rows of a matrix, as kernels are given them: what a TensorView says, without its shape.
template <class T>
struct Rows {
  T* data = nullptr;
  int64_t stride = 0;  // elements between rows
  HEED_DEVICE T* operator[](int64_t row) const { return data + row * stride; }
  HEED_DEVICE explicit operator bool() const { return data != nullptr; }
};

}  // namespace heed::cuda
