// One Adam step over flat buffers: each number is read and written once.
#include "heed/cuda/cuda_backend.h"
#include "heed/cuda/launch.h"
#include "heed/cuda/math-device.h"

namespace heed::cuda {
namespace {

struct Update {
  const float* gradient;
  float *w, *m, *v;
  AdamStep step;
  __device__ void operator()(int64_t, int64_t i) const { step(gradient[i], w[i], m[i], v[i]); }
};

}  // namespace

void CudaBackend::adam(const TensorView& w, const TensorView& dw, const TensorView& m, const TensorView& v,
                       const AdamParams& params) {
  for_each_element(stream(), 1, w.shape.numel(),
                   Update{dw.as<float>(), w.as<float>(), m.as<float>(), v.as<float>(), AdamStep(params)});
}

}  // namespace heed::cuda
