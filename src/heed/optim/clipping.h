// Clipping of the gradient by its norm (Pascanu et al. 2013).
#pragma once

namespace heed::optim {

// The factor that brings a gradient of this norm down to `largest`, as torch.nn.utils.clip_grad_norm_ takes it;
// 1 if it is short enough or `largest` is 0.
float clip_scale(double norm, double largest);

}  // namespace heed::optim
