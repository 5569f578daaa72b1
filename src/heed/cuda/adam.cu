// One Adam step over flat buffers, all runs in one launch: each number is read and written once.
#include "heed/cuda/cuda_backend.h"
#include "heed/cuda/launch.h"
#include "heed/cuda/math-device.h"

namespace heed::cuda {
namespace {

constexpr int64_t kTile = 16 * kThreads;  // elements of a block at a time

struct Run {
  int64_t begin, end;
  AdamStep step;
};

struct Buffers {
  const float* gradient;
  float *w, *m, *v;
};

// The first run that does not end before `place`.
__device__ int run_at(const Run* runs, int count, int64_t place) {
  int low = 0, high = count;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (runs[middle].end <= place) low = middle + 1;
    else high = middle;
  }
  return low;
}

__global__ void adam_kernel(const Run* runs, int count, int64_t begin, int64_t end, Buffers x) {
  for (int64_t tile = begin + int64_t{blockIdx.x} * kTile; tile < end; tile += int64_t{gridDim.x} * kTile) {
    const int64_t tile_end = tile + kTile < end ? tile + kTile : end;
    int64_t i = tile + threadIdx.x;
    for (int run = run_at(runs, count, i); i < tile_end; i += blockDim.x) {
      while (run < count && runs[run].end <= i) ++run;
      if (run < count && i >= runs[run].begin) runs[run].step(x.gradient[i], x.w[i], x.m[i], x.v[i]);
    }
  }
}

}  // namespace

void CudaBackend::adam(const TensorView& w, const TensorView& dw, const TensorView& m, const TensorView& v,
                       std::span<const AdamRun> runs, const AdamParams& params) {
  if (runs.empty()) return;
  std::vector<Run> steps;
  steps.reserve(runs.size());
  for (const AdamRun& run : runs) steps.push_back({run.begin, run.end, AdamStep(params, run)});
  const int64_t begin = runs.front().begin, end = runs.back().end;
  const Upload arrays(*this, {bytes_of(steps)});
  launch(stream(), {std::min<int64_t>((end - begin + kTile - 1) / kTile, 1 << 12)}, &adam_kernel, arrays.as<Run>(0),
         static_cast<int>(steps.size()), begin, end,
         Buffers{dw.as<float>(), w.as<float>(), m.as<float>(), v.as<float>()});
}

}  // namespace heed::cuda
