// Searches that go on by themselves (core/search_batch.h). Decoding on the CPU follows each step on the host instead
// (decode/); this serves its tests.
#include "heed/core/search_batch.h"
#include "heed/cpu/cpu_backend.h"

namespace heed::cpu {

void CpuBackend::advance_searches(const SearchBatch& batch, int64_t searches, const TensorView& logits,
                                  const TensorView& log_probs, const TensorView& ids) {
  const TopRows top(logits, log_probs, ids);
  for (int64_t i = 0; i < searches; ++i) advance_one(batch, i, top);
}

}  // namespace heed::cpu
