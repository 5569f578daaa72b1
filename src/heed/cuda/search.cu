// Searches that go on by themselves (core/search_batch.h), each in a thread of a block of its own: their few dozen
// numbers come one behind the other, so that more threads would only wait.
#include "heed/core/search_batch.h"
#include "heed/cuda/cuda_backend.h"
#include "heed/cuda/launch.h"

namespace heed::cuda {
namespace {

__global__ void advance_searches_kernel(SearchBatch batch, TopRows top) {
  if (threadIdx.x == 0) advance_one(batch, blockIdx.x, top);
}

}  // namespace

void CudaBackend::advance_searches(const SearchBatch& batch, int64_t searches, const TensorView& logits,
                                   const TensorView& log_probs, const TensorView& ids) {
  const TopRows top(logits, log_probs, ids);
  launch(stream(), {searches, kWarp}, &advance_searches_kernel, batch, top);
}

}  // namespace heed::cuda
