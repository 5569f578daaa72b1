#include "heed/autograd/autograd.h"

#include <queue>
#include <unordered_map>
#include <utility>

#include "heed/tensor/backends.h"

namespace heed {
namespace {

thread_local bool recording = true;
thread_local uint64_t next_order = 1;

void make_grad(TensorBody& body) {
  if (body.grad) return;
  body.grad = Tensor::empty(body.shape, DType::kF32, body.storage->device()).body();
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
  auto node = std::make_shared<GradNode>();
  for (const Tensor* x : inputs)
    if (x->requires_grad()) node->inputs.push_back(x->body());
  node->backward = std::move(backward);
  node->order = next_order++;
  y.body()->requires_grad = true;
  y.body()->node = std::move(node);
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

Tensor take_grad(const Tensor& x) {
  TensorBody& body = *x.body();
  if (!body.grad_written) return {};
  body.grad_written = false;
  return Tensor(std::exchange(body.grad, nullptr));
}

void backward(const Tensor& loss, float scale, const GradReadyHook& ready) {
  check<ShapeError>(loss.numel() == 1, "backward() of a tensor of shape {}; one element was expected",
                    loss.shape().to_string());
  if (!loss.requires_grad()) return;
  auto uses = count_uses(loss.body());
  const GradSlot seed = grad_slot(loss);
  backend(loss.device()).fill(seed.view(), scale);
  std::priority_queue<std::shared_ptr<TensorBody>, std::vector<std::shared_ptr<TensorBody>>, LaterFirst> open;
  if (loss.body()->node) open.push(loss.body());
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
      else if (ready) ready(*input);
    }
  }
}

}  // namespace heed
