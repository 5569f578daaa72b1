#include "heed/autograd/autograd.h"

#include <algorithm>
#include <queue>
#include <unordered_map>
#include <utility>

#include "heed/tensor/backends.h"

namespace heed {
namespace {

thread_local bool recording = true;
thread_local uint64_t next_order = 1;
thread_local const GradReadyHook* ready_hook = nullptr;  // of the backward() that is running

void make_grad(TensorBody& body) {
  if (body.grad) return;
  body.grad = Tensor::empty(body.shape, body.dtype, body.storage->device()).body();
}

GradSlot slot(const Tensor& x, bool covered) {
  if (!x.requires_grad()) return {};
  TensorBody& body = *x.body();
  make_grad(body);
  if (!body.grad_written && !covered) {
    backend(x.device()).fill(Tensor(body.grad).view(), 0);
    body.grad_written = true;
  }
  return {x.same_window(body.grad), body.grad_written};
}

struct LaterFirst {
  bool operator()(const std::shared_ptr<TensorBody>& a, const std::shared_ptr<TensorBody>& b) const {
    return a->node->order < b->node->order;
  }
};

// How many recorded operations reached from `root` use each tensor; every body appears once.
std::unordered_map<TensorBody*, int> count_uses(const std::shared_ptr<TensorBody>& root) {
  std::unordered_map<TensorBody*, int> uses{{root.get(), 0}};
  std::vector<TensorBody*> open{root.get()};
  while (!open.empty()) {
    const TensorBody* body = open.back();
    open.pop_back();
    if (!body->node) continue;
    for (const auto& input : body->node->inputs)
      if (uses[input.get()]++ == 0) open.push_back(input.get());
  }
  return uses;
}

void append_node(Tensor& y, const std::vector<std::shared_ptr<TensorBody>>& inputs,
                 std::function<void(const Tensor&)> backward) {
  auto node = std::make_shared<GradNode>();
  node->inputs = inputs;
  node->backward = std::move(backward);
  node->order = next_order++;
  y.body()->requires_grad = true;
  y.body()->node = std::move(node);
}

// Runs the functions that the result followed from, its gradient being there.
void run_tape(const std::shared_ptr<TensorBody>& result) {
  auto uses = count_uses(result);
  std::priority_queue<std::shared_ptr<TensorBody>, std::vector<std::shared_ptr<TensorBody>>, LaterFirst> open;
  if (result->node) open.push(result);
  while (!open.empty()) {
    const std::shared_ptr<TensorBody> body = open.top();
    open.pop();
    const std::shared_ptr<GradNode> node = std::move(body->node);
    if (body->grad_written) node->backward(Tensor(body->grad));
    body->grad = nullptr;  // of an intermediate result: nobody asks for it again
    body->grad_written = false;
    node->backward = nullptr;
    for (const auto& input : node->inputs) {
      if (--uses[input.get()] > 0) continue;
      if (input->node) open.push(input);
      else if (ready_hook) (*ready_hook)(*input);
    }
  }
}

// The same numbers as a leaf of its own.
Tensor detached(const Tensor& x) {
  auto body = std::make_shared<TensorBody>();
  body->storage = x.body()->storage;
  body->byte_offset = x.body()->byte_offset;
  body->shape = x.body()->shape;
  body->dtype = x.body()->dtype;
  body->requires_grad = x.requires_grad();
  return x.same_window(std::move(body));
}

std::vector<Tensor> detached(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> result;
  result.reserve(tensors.size());
  for (const Tensor& x : tensors) result.push_back(detached(x));
  return result;
}

// As run_tape(), saying nothing of these leaves, which stand for other tensors.
void run_tape_hiding(const std::vector<Tensor>& hidden, const std::shared_ptr<TensorBody>& result) {
  const GradReadyHook* const outer = ready_hook;
  const GradReadyHook others = [&](TensorBody& leaf) {
    const bool is_hidden =
        std::any_of(hidden.begin(), hidden.end(), [&](const Tensor& x) { return x.body().get() == &leaf; });
    if (!is_hidden) (*outer)(leaf);
  };
  ready_hook = outer ? &others : nullptr;
  run_tape(result);
  ready_hook = outer;
}

// Records while it lives.
class Recording {
 public:
  Recording() : before_(std::exchange(recording, true)) {}
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;
  ~Recording() { recording = before_; }

 private:
  bool before_;
};

}  // namespace

bool grad_enabled() { return recording; }

NoGrad::NoGrad() : before_(recording) { recording = false; }
NoGrad::~NoGrad() { recording = before_; }

bool needs_grad(std::span<const Tensor* const> inputs) {
  if (!recording) return false;
  for (const Tensor* x : inputs)
    if (x->requires_grad()) return true;
  return false;
}

void record(Tensor& y, std::span<const Tensor* const> inputs, std::function<void(const Tensor&)> backward) {
  if (!needs_grad(inputs)) return;
  std::vector<std::shared_ptr<TensorBody>> bodies;
  for (const Tensor* x : inputs)
    if (x->requires_grad()) bodies.push_back(x->body());
  append_node(y, bodies, std::move(backward));
}

GradSlot grad_slot(const Tensor& x) {
  GradSlot result = slot(x, x.defined() && x.whole());
  if (result) x.body()->grad_written = true;
  return result;
}

std::vector<GradSlot> grad_slots(std::initializer_list<const Tensor*> parts) {
  std::unordered_map<const TensorBody*, int64_t> covered;
  for (const Tensor* x : parts)
    if (x->defined()) covered[x->body().get()] += x->numel();
  std::vector<GradSlot> slots;
  for (const Tensor* x : parts)
    slots.push_back(slot(*x, x->defined() && covered[x->body().get()] == x->body()->shape.numel()));
  for (const Tensor* x : parts)
    if (x->requires_grad()) x->body()->grad_written = true;
  return slots;
}

void give_grad(const Tensor& x, const Tensor& dy) {
  if (!x.requires_grad()) return;
  TensorBody& body = *x.body();
  const bool alike = dy.dtype() == body.dtype && dy.whole() && dy.body()->shape == body.shape;
  if (body.node && !body.grad && x.whole() && x.shape() == body.shape && alike) {
    body.grad = dy.body();
    body.grad_written = true;
    return;
  }
  const GradSlot slot = grad_slot(x);
  backend(dy.device()).scale(dy.view(), 1, slot.accumulate, slot.view());
}

Tensor take_grad(const Tensor& x) {
  TensorBody& body = *x.body();
  if (!body.grad_written) return {};
  body.grad_written = false;
  return Tensor(std::exchange(body.grad, nullptr));
}

Tensor checkpointed(const std::vector<Tensor>& inputs, const std::function<Tensor(const std::vector<Tensor>&)>& f) {
  if (!recording) return f(inputs);
  // Recorded, and the record thrown away: without recording, products would be those of inference, which round
  // otherwise than what is computed again.
  Tensor y = detached(f(detached(inputs)));
  y.body()->requires_grad = false;
  // f may use leaves that need a gradient although no input does.
  std::vector<std::shared_ptr<TensorBody>> bodies;
  for (const Tensor& x : inputs)
    if (x.requires_grad()) bodies.push_back(x.body());
  append_node(y, bodies, [inputs, f](const Tensor& dy) {
    const std::vector<Tensor> own = detached(inputs);
    const Recording recording_again;
    const Tensor again = f(own);
    if (!again.requires_grad()) return;
    const GradSlot seed = grad_slot(again);
    backend(dy.device()).copy(dy.view(), seed.view());
    run_tape_hiding(own, again.body());
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (const Tensor dx = own[i].grad(); dx.defined())
        if (const GradSlot slot = grad_slot(inputs[i]))
          backend(dy.device()).scale(dx.view(), 1, slot.accumulate, slot.view());
    }
  });
  return y;
}

void backward(const Tensor& loss, float scale, const GradReadyHook& ready) {
  check<ShapeError>(loss.numel() == 1, "backward() of a tensor of shape {}; one element was expected",
                    loss.shape().to_string());
  if (!loss.requires_grad()) return;
  const GradSlot seed = grad_slot(loss);
  backend(loss.device()).fill(seed.view(), scale);
  const GradReadyHook* const before = std::exchange(ready_hook, ready ? &ready : nullptr);
  run_tape(loss.body());
  ready_hook = before;
}

}  // namespace heed
