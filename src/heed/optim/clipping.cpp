#include "heed/optim/clipping.h"

namespace heed::optim {

float clip_scale(double norm, double largest) {
  if (largest <= 0) return 1;
  const double factor = largest / (norm + 1e-6);
  return factor < 1 ? static_cast<float>(factor) : 1.0f;
}

}  // namespace heed::optim
