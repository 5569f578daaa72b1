// The k best of each row of logits with their log-probabilities: what a step of beam search needs of a vocabulary.
//
// A block a row: each thread knows the best few of its own columns that are not taken yet, and the block takes the best
// of the threads' best, one after the other. A thread of which all few were taken looks for its next.
#include "heed/cuda/cuda_backend.h"
#include "heed/cuda/launch.h"
#include "heed/cuda/top_k-device.h"

namespace heed::cuda {
namespace {

__device__ Candidate better_of(const Candidate& a, const Candidate& b) { return is_better(b, a) ? b : a; }

// The best of all threads' candidates, the same in every thread.
__device__ Candidate best_of_block(Candidate mine) {
  __shared__ Candidate parts[kWarp];
  const auto best_of_lanes = [](Candidate best) {
    for (int offset = kWarp / 2; offset > 0; offset /= 2)
      best = better_of(
          best, {__shfl_xor_sync(0xFFFFFFFFu, best.value, offset), __shfl_xor_sync(0xFFFFFFFFu, best.index, offset)});
    return best;
  };
  mine = best_of_lanes(mine);
  const unsigned warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  __syncthreads();  // what the last call left has been read
  if (lane == 0) parts[warp] = mine;
  __syncthreads();
  return best_of_lanes(lane < blockDim.x / kWarp ? parts[lane] : Candidate{0, -1});
}

__global__ void top_k_kernel(Rows<const float> logits, int32_t cols, int k, Rows<float> values, Rows<int32_t> indices) {
  const float* x = logits[blockIdx.x];
  float* best_values = values[blockIdx.x];
  int32_t* best_indices = indices[blockIdx.x];
  const auto first = static_cast<int32_t>(threadIdx.x), step = static_cast<int32_t>(blockDim.x);
  BestFew<4> mine;
  mine.fill(x, first, step, cols, {0, -1});
  float max = -INFINITY;
  int found = 0;
  for (; found < k; ++found) {
    const Candidate best = best_of_block(mine.best());
    if (best.index < 0) break;
    if (found == 0) max = best.value;
    if (threadIdx.x == 0) {
      best_values[found] = best.value;
      best_indices[found] = best.index;
    }
    if (best.index != mine.best().index) continue;
    mine.take_out_best();
    if (mine.empty()) mine.fill(x, first, step, cols, best);
  }
  float sum = 0;
  for (int32_t c = first; c < cols; c += step) sum += expf(x[c] - max);
  const float log_sum = max + logf(reduce_block<Add>(sum));
  if (threadIdx.x != 0) return;
  for (int i = 0; i < k; ++i) {
    if (i >= found) {  // fewer than k are above -inf
      best_values[i] = -INFINITY;
      best_indices[i] = i - found;
    }
    best_values[i] -= log_sum;
  }
}

}  // namespace

void CudaBackend::log_softmax_top_k(const TensorView& logits, int k, const TensorView& values,
                                    const TensorView& indices) {
  launch(stream(), {logits.rows(), threads_for(logits.cols())}, &top_k_kernel, rows_of<const float>(logits),
         static_cast<int32_t>(logits.cols()), k, rows_of<float>(values),
         Rows<int32_t>{indices.as<int32_t>(), indices.row_stride});
}

}  // namespace heed::cuda
