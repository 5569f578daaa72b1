// Which libheed_cuda.so a program under test opens.
#pragma once

#include <cstdlib>
#include <string>

namespace heed::testing {

// The emulation, or what HEED_CUDA_LIBRARY names: on a machine with a GPU the real one (tools/gpu_check).
inline std::string cuda_library() {
  const char* named = std::getenv("HEED_CUDA_LIBRARY");
  return named ? named : HEED_EMULATED_CUDA;
}

}  // namespace heed::testing
