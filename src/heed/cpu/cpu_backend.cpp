#include "heed/cpu/cpu_backend.h"

#include <hwy/highway.h>
#include <hwy/targets.h>

#include <cstdlib>
#include <string_view>

namespace heed::cpu {
namespace {

std::string_view simd_limit() {
  const char* limit = std::getenv("HEED_SIMD");
  return limit ? limit : "";
}

void limit_instructions(std::string_view name) {
  if (name.empty()) return;
  check<UsageError>(name == "avx2" || name == "scalar" || name == "avx512",
                    "HEED_SIMD is \"{}\"; expected avx512, avx2 or scalar", name);
  if (name != "avx512") hwy::DisableTargets(HWY_AVX3 | HWY_AVX3_DL);
  if (name == "scalar") hwy::DisableTargets(HWY_AVX3 | HWY_AVX3_DL | HWY_AVX2 | HWY_SSE4 | HWY_SSSE3);
}

}  // namespace

int64_t simd_targets() {
  static const int64_t targets = [] {
    limit_instructions(simd_limit());
    const int64_t found = hwy::SupportedTargets();
    hwy::GetChosenTarget().Update(found);  // asking has chosen among all, also those that are disabled
    return found;
  }();
  return targets;
}

bool amx_allowed() { return simd_limit().empty(); }

CpuBackend& cpu_backend() {
  // Never destroyed: tensors with static lifetime may still return memory to it.
  static CpuBackend* backend = [] {
    simd_targets();
    return new CpuBackend;
  }();
  return *backend;
}

std::string simd_name() {
  const int64_t targets = simd_targets();
  return hwy::TargetName(targets & -targets);
}

}  // namespace heed::cpu
