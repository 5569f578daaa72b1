// Reverse-mode differentiation: a tape of coarse operations.
//
// An operation computes its result, then calls record() with a function that, given d loss / d result, writes
// d loss / d input for each input. backward() runs those functions in reverse order of recording. The tape is held by
// the tensors themselves: what no tensor reaches is freed. Recording and backward belong to one thread; different
// threads may each have a tape of their own, sharing only leaves that need no gradient.
#pragma once

#include <functional>
#include <vector>

#include "heed/tensor/tensor.h"

namespace heed {

struct GradNode {
  std::vector<std::shared_ptr<TensorBody>> inputs;
  std::function<void(const Tensor& dy)> backward;
  uint64_t order = 0;  // of recording
};

// Whether operations on this thread are recorded. A NoGrad object turns recording off while it lives.
bool grad_enabled();

class NoGrad {
 public:
  NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;
  ~NoGrad();

 private:
  bool before_;
};

// True if the result of an operation on these tensors will need a gradient.
bool needs_grad(std::span<const Tensor* const> inputs);
inline bool needs_grad(std::initializer_list<const Tensor*> inputs) {
  return needs_grad(std::span(inputs.begin(), inputs.size()));
}

// Notes how `y` follows from `inputs` (undefined ones are skipped); `backward` gets d loss / d y.
void record(Tensor& y, std::span<const Tensor* const> inputs, std::function<void(const Tensor& dy)> backward);
inline void record(Tensor& y, std::initializer_list<const Tensor*> inputs,
                   std::function<void(const Tensor& dy)> backward) {
  record(y, std::span(inputs.begin(), inputs.size()), std::move(backward));
}

// Where an operation's backward puts d loss / d x: over what is there, or added to it.
struct GradSlot {
  Tensor dx;  // undefined if x needs no gradient
  bool accumulate = false;
  explicit operator bool() const { return dx.defined(); }
  TensorView view() const { return dx.view(); }
};

// The slot of `x`, marked as written: the caller must fill it. If `x` is only part of an array whose gradient has not
// been written yet, the whole is zeroed first.
GradSlot grad_slot(const Tensor& x);

// The slots of several parts of arrays that an operation will fill together. Where they are the whole of one array,
// nothing is zeroed and all are written over.
std::vector<GradSlot> grad_slots(std::initializer_list<const Tensor*> parts);

// Hands dy on as the gradient of x, or a part of it: without a copy where x, an operation's result, has got none yet.
// For a backward whose last use of its dy this is; it must have the shape of x.
void give_grad(const Tensor& x, const Tensor& dy);

// Called by backward() as soon as a leaf's gradient is final.
using GradReadyHook = std::function<void(TensorBody& leaf)>;

// The gradient that x, the result of an operation, has got so far, taken away from it: if no more comes, the
// operation's backward will not run. For operations with several results that do the work of one in the backward of
// another. Undefined if there is none.
Tensor take_grad(const Tensor& x);

// f(inputs), of whose inner results nothing is kept: the backward computes f again (Chen et al. 2016, "Training Deep
// Nets with Sublinear Memory Cost"). Besides leaves, f may use no tensor that needs a gradient but its inputs, and it
// must give the same result when it is called again, to the bit.
Tensor checkpointed(const std::vector<Tensor>& inputs, const std::function<Tensor(const std::vector<Tensor>&)>& f);

// Fills the gradients of all leaves that `loss` (one element) depends on, adding to gradients already written (so that
// several backward passes accumulate); `scale` is d result / d loss. The tape of `loss` is consumed.
void backward(const Tensor& loss, float scale = 1, const GradReadyHook& ready = {});

}  // namespace heed
