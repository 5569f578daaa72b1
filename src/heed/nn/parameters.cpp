#include "heed/nn/parameters.h"

#include <unordered_map>
#include <utility>

#include "heed/base/error.h"
#include "heed/tensor/backends.h"

namespace heed::nn {
namespace {

constexpr int64_t kAlignment = 16;        // floats: each leaf begins at a whole cache line
constexpr int64_t kLargeTable = 8 << 20;  // numbers: the rows of smaller tables are read faster as they were loaded

// Rows to which a matrix that may be packed in place has memory: whole panels of all backends.
constexpr int64_t kPanelRows = 32;

std::shared_ptr<Storage> storage_of_matrix(const TensorBody& body) {
  const int64_t rows = (body.shape[0] + kPanelRows - 1) / kPanelRows * kPanelRows;
  return Tensor::empty({rows, body.shape[1]}, body.dtype).body()->storage;
}

int64_t padded(int64_t n) { return (n + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

Tensor ParameterStore::create(const std::vector<std::string>& names, Shape shape, const std::vector<int64_t>& rows) {
  check(!values_.defined(), "parameters cannot be added after flatten()");
  Tensor leaf = Tensor::empty(shape);
  leaf.set_requires_grad(true);
  leaves_.push_back(leaf);
  int64_t begin = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    const int64_t count = rows.empty() ? shape[0] / static_cast<int64_t>(names.size()) : rows[i];
    named_.push_back({names[i], leaf.slice_rows(begin, count)});
    begin += count;
  }
  check(begin == shape[0], "{}: parts of {} rows in all for {}", names[0], begin, shape.to_string());
  return leaf;
}

Tensor ParameterStore::create_constant(const std::string& name, Shape shape) {
  Tensor constant = Tensor::zeros(shape);
  named_.push_back({name, constant});
  return constant;
}

void ParameterStore::add_linear_maps(const std::vector<std::string>& names, const ops::Weight& weight,
                                     const std::vector<int64_t>& rows) {
  int64_t first = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    const int64_t count = rows.empty() ? weight.out_features() / static_cast<int64_t>(names.size()) : rows[i];
    linear_maps_.push_back({names[i], first, count, weight});
    first += count;
  }
}

void ParameterStore::reopen() {
  flat(values_);
  values_ = gradients_ = Tensor();
  uninitialised_ = gradient_gaps_zeroed_ = false;
}

void ParameterStore::flatten() {
  int64_t total = 0;
  for (const Tensor& leaf : leaves_) total += padded(leaf.numel());
  values_ = Tensor::empty({total});
  gradients_ = Tensor::empty({total});
  zero_gaps(values_);
  size_t offset = 0;
  for (Tensor& leaf : leaves_) {
    TensorBody& body = *leaf.body();
    const Tensor value = Tensor::on_storage(values_.body()->storage, offset, body.shape, DType::kF32);
    if (!uninitialised_) backend(leaf.device()).copy(leaf.view(), value.view());
    body.storage = values_.body()->storage;
    body.byte_offset = offset;
    body.grad = Tensor::on_storage(gradients_.body()->storage, offset, body.shape, DType::kF32).body();
    offset += static_cast<size_t>(padded(leaf.numel())) * sizeof(float);
  }
  rates_ = {{0, total, 1}};
}

void ParameterStore::lay_out_for_inference(const std::function<DType(const std::string& name)>& dtype_of) {
  std::unordered_map<const TensorBody*, DType> dtypes;
  for (const auto& [name, tensor] : named_) {
    const DType dtype = dtype_of(name);
    const auto [at, fresh] = dtypes.emplace(tensor.body().get(), dtype);
    if (at->second != dtype) at->second = DType::kF32;
  }
  const auto is_matrix = [](const Tensor& leaf) { return leaf.shape().rank() == 2; };
  int64_t total = 0;
  for (const Tensor& leaf : leaves_)
    if (!is_matrix(leaf)) total += padded(leaf.numel());
  values_ = gradients_ = Tensor();
  const auto rest = Tensor::empty({total}).body()->storage;
  size_t offset = 0;
  for (Tensor& leaf : leaves_) {
    TensorBody& body = *leaf.body();
    leaf.set_requires_grad(false);
    body.grad.reset();
    body.dtype = is_matrix(leaf) ? dtypes.at(&body) : DType::kF32;
    body.storage = is_matrix(leaf) ? storage_of_matrix(body) : rest;
    body.byte_offset = is_matrix(leaf) ? 0 : offset;
    if (!is_matrix(leaf)) offset += static_cast<size_t>(padded(leaf.numel())) * sizeof(float);
  }
  for (const LinearMap& map : linear_maps_) map.weight.give_up_when_packed();
  for (const Output& output : outputs_)
    if (!output.tied || output.weight.master().numel() >= kLargeTable) output.weight.give_up_when_packed();
  for_inference_ = true;
}

const Tensor& ParameterStore::flat(const Tensor& buffer) const {
  check(!for_inference_,
        "a model that was loaded for inference cannot be trained: its parameters lie in no one buffer");
  return buffer;
}

// What lies in one storage stays together.
void ParameterStore::move_storages(Device device) {
  std::unordered_map<const Storage*, std::shared_ptr<Storage>> moved;
  const auto move = [&](const Tensor& tensor) {
    TensorBody& body = *tensor.body();
    if (body.storage->device() == device) return;
    std::shared_ptr<Storage>& there = moved[body.storage.get()];
    if (!there) {
      const auto bytes = static_cast<int64_t>(body.storage->bytes());
      there = Tensor::on_storage(body.storage, 0, {bytes}, DType::kU8).to(device).body()->storage;
    }
    body.storage = there;
  };
  for (const Tensor& leaf : leaves_) move(leaf);
  for (const auto& [name, tensor] : named_) move(tensor);
  for (const Tensor& tensor : kept_) move(tensor);
  values_changed();
}

void ParameterStore::move_to(Device device) {
  if (for_inference_) return move_storages(device);
  if (values().device() == device) return;
  const Tensor values = values_.to(device);
  gradients_ = Tensor::empty(values_.shape(), DType::kF32, device);
  gradient_gaps_zeroed_ = false;
  const auto move_constant = [&](const Tensor& constant) {
    TensorBody& body = *constant.body();
    if (body.storage == values_.body()->storage || body.storage->device() == device) return;
    body.storage = Tensor(constant.body()).to(device).body()->storage;
    body.byte_offset = 0;
  };
  for (const auto& [name, tensor] : named_) move_constant(tensor);
  for (const Tensor& tensor : kept_) move_constant(tensor);
  for (Tensor& leaf : leaves_) {
    TensorBody& body = *leaf.body();
    body.storage = values.body()->storage;
    body.grad = Tensor::on_storage(gradients_.body()->storage, body.byte_offset, body.shape, DType::kF32).body();
    body.grad_written = false;
    if (leaf.requires_grad()) continue;
    backend(device).fill(Tensor(body.grad).view(), 0);  // frozen: as set_rates() leaves it
    body.grad_written = true;
  }
  values_ = values;
  values_changed();
}

void ParameterStore::set_rates(const std::function<double(const std::string& name)>& factor_of) {
  std::unordered_map<const TensorBody*, double> factors;
  for (const auto& [name, tensor] : named_) {
    const double factor = factor_of(name);
    const auto [at, fresh] = factors.emplace(tensor.body().get(), factor);
    check(fresh || at->second == factor, "{}: learns at {} of the rate, but shares a matrix that learns at {}", name,
          factor, at->second);
  }
  rates_.clear();
  int64_t begin = 0;
  for (Tensor& leaf : leaves_) {
    const double factor = factors.at(leaf.body().get());
    const int64_t count = padded(leaf.numel());
    leaf.set_requires_grad(factor > 0);
    if (factor > 0) {
      const bool joins =
          !rates_.empty() && rates_.back().factor == factor && rates_.back().begin + rates_.back().count == begin;
      if (joins) rates_.back().count += count;
      else rates_.push_back({begin, count, factor});
    } else {  // once and for all
      backend(leaf.device()).fill(Tensor(leaf.body()->grad).view(), 0);
      leaf.body()->grad_written = true;
    }
    begin += count;
  }
}

// What lies between the leaves: sums over a whole buffer must not see it.
void ParameterStore::zero_gaps(const Tensor& flat) const {
  int64_t end = 0;
  for (const Tensor& leaf : leaves_) {
    const int64_t gap = padded(leaf.numel()) - leaf.numel();
    if (gap > 0) backend(flat.device()).fill(flat.slice_rows(end + leaf.numel(), gap).view(), 0);
    end += padded(leaf.numel());
  }
}

int64_t ParameterStore::count() const {
  int64_t count = 0;
  for (const Tensor& leaf : leaves_) count += leaf.numel();
  return count;
}

void ParameterStore::clear_gradients() {
  for (Tensor& leaf : leaves_)
    if (leaf.requires_grad()) leaf.body()->grad_written = false;
}

void ParameterStore::complete_gradients() {
  if (!std::exchange(gradient_gaps_zeroed_, true)) zero_gaps(gradients());
  for (Tensor& leaf : leaves_) {
    TensorBody& body = *leaf.body();
    if (!body.grad_written) backend(leaf.device()).fill(Tensor(body.grad).view(), 0);
    body.grad_written = true;
  }
}

void ParameterStore::compute_in(DType dtype) {
  check(dtype == DType::kF32 || dtype == DType::kBF16, "products in {} are not known", name_of(dtype));
  for (Tensor& leaf : leaves_)
    if (leaf.shape().rank() > 1) leaf.body()->product = dtype;
}

void ParameterStore::values_changed() {
  for (Tensor& leaf : leaves_) ++leaf.body()->version;
}

}  // namespace heed::nn
