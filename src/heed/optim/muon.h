// Muon (Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"): momentum whose matrix is made
// nearly orthogonal, so that a step moves all directions of a linear map alike and not mostly those few in which
// gradients are large.
#pragma once

#include "heed/core/device.h"
#include "heed/core/dtype.h"
#include "heed/core/tensor_view.h"

namespace heed::optim {

inline constexpr float kMuonMomentum = 0.95f;

struct MuonParams {
  float learning_rate = 0, momentum = kMuonMomentum, weight_decay = 0;
  float gradient_scale = 1;     // clipping and averaging, applied to the gradient first
  DType product = DType::kF32;  // as of orthogonalise()
};

// One step of the matrix w [rows, cols] from its gradient dw; m, zeros at first, is its momentum. Nesterov's momentum
// u = (1 - momentum) dw + momentum m is made orthogonal (orthogonalise()); the step is 0.2 sqrt(max(rows, cols)) long
// for each element's root mean square to be that of Adam's steps, so that both take the same rate and decay (Liu et al.
// 2025, "Muon is scalable for LLM training", section 2.2). As torch.optim.Muon with adjust_lr_fn "match_rms_adamw", but
// in f32, the factors of products apart.
void muon(Device device, const TensorView& w, const TensorView& dw, const TensorView& m, const MuonParams& params);

// x [rows, cols], written over by U S V^T with all of S between 0.7 and 1.2 or so where x = U D V^T and D is not tiny:
// five rounds of x <- a x + (b g + c g^2) x with g = x x^T, from x divided by its Frobenius norm (as Jordan et al. have
// them; the polynomial's slope at 0 is what makes five enough). Zero stays zero. The factors of the products are
// rounded to `product`, f32 or bf16; all that is within the range of S above.
void orthogonalise(Device device, const TensorView& x, DType product = DType::kF32);

}  // namespace heed::optim
