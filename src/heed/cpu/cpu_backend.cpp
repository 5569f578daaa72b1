#include "heed/cpu/cpu_backend.h"

#include <hwy/highway.h>
#include <hwy/targets.h>

#include <cstdlib>
#include <string_view>

namespace heed::cpu {
namespace {

void limit_instructions() {
  const std::string_view name = simd_limit();
  if (name.empty()) return;
  check<UsageError>(name == "avx2" || name == "scalar" || name == "avx512",
                    "HEED_SIMD is \"{}\"; expected avx512, avx2 or scalar", name);
  if (name != "avx512") hwy::DisableTargets(HWY_AVX3 | HWY_AVX3_DL);
  if (name == "scalar") hwy::DisableTargets(HWY_AVX3 | HWY_AVX3_DL | HWY_AVX2 | HWY_SSE4 | HWY_SSSE3);
}

}  // namespace

std::string_view simd_limit() {
  const char* limit = std::getenv("HEED_SIMD");
  return limit ? limit : "";
}

CpuBackend& cpu_backend() {
  // Never destroyed: tensors with static lifetime may still return memory to it.
  static CpuBackend* backend = [] {
    limit_instructions();
    return new CpuBackend;
  }();
  return *backend;
}

std::string simd_name() {
  cpu_backend();
  const int64_t targets = hwy::SupportedTargets();
  return hwy::TargetName(targets & -targets);
}

}  // namespace heed::cpu
