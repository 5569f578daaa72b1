// Searches that go on by themselves (core/search_batch.h). Decoding on the CPU follows each step on the host instead
// (decode/); this serves its tests.
#include "heed/core/search_batch.h"
#include "heed/cpu/cpu_backend.h"

namespace heed::cpu {

void CpuBackend::advance_searches(const SearchBatch& batch, int64_t searches, const TensorView& logits,
                                  const TensorView& log_probs, const TensorView& ids) {
  const TopRows top{log_probs.as<float>(), ids.as<int32_t>(), logits.as<float>(), static_cast<int32_t>(ids.cols()),
                    logits.row_stride};
  for (int64_t i = 0; i < searches; ++i) advance_one(batch, i, top);
}

}  // namespace heed::cpu
