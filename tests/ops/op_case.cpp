#include "ops/op_case.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "heed/base/random.h"
#include "heed/base/threads.h"
#include "heed/ops/ops.h"
#include "heed/tensor/backends.h"

namespace heed::testing {
namespace {

std::vector<Tensor> make_inputs(const OpCase& c) {
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < c.inputs.size(); ++i) inputs.push_back(random_tensor(c.inputs[i], 100 + i));
  return inputs;
}

// The result and the gradients of sum(result * constants), so that every element of the result matters differently.
std::vector<Tensor> result_and_gradients(const OpFunction& f, const std::vector<Tensor>& values) {
  std::vector<Tensor> inputs;
  for (const Tensor& v : values) inputs.push_back(v.clone().set_requires_grad(true));
  const Tensor y = f(inputs);
  std::vector<Tensor> results{y.clone()};
  backward(ops::sum(ops::multiply(y, random_tensor(y.shape(), 7).to(y.device()))));
  for (const Tensor& x : inputs) {
    const Tensor none = Tensor::zeros(x.shape(), DType::kF32, x.device());
    results.push_back(x.grad().defined() ? x.grad().clone() : none);
  }
  return results;
}

std::vector<Tensor> on_device(Device device, const std::vector<Tensor>& values) {
  std::vector<Tensor> result;
  for (const Tensor& v : values) result.push_back(v.to(device));
  return result;
}

void compare(const OpCase& c, const std::vector<Tensor>& actual, const std::vector<Tensor>& expected, double tolerance,
             const std::string& with) {
  for (size_t i = 0; i < actual.size(); ++i) {
    const std::string what = i == 0 ? "result" : fmt::format("gradient of input {}", i - 1);
    expect_near(actual[i], expected[i], tolerance, fmt::format("{}: {} against {}", c.name, what, with));
  }
}

}  // namespace

Tensor random_tensor(Shape shape, uint64_t seed) {
  Random random(seed);
  std::vector<float> values(static_cast<size_t>(shape.numel()));
  for (float& v : values) v = static_cast<float>(random.normal());
  return Tensor::from(values, shape);
}

void expect_near(const Tensor& actual, const Tensor& expected, double tolerance, const std::string& what) {
  ASSERT_EQ(actual.shape().to_string(), expected.shape().to_string()) << what;
  const auto a = actual.to_vector<float>(), e = expected.to_vector<float>();
  size_t worst = 0;
  double largest = -1;
  for (size_t i = 0; i < a.size(); ++i) {
    const double error = std::abs(static_cast<double>(a[i]) - e[i]) / (1 + std::abs(static_cast<double>(e[i])));
    if (!(error <= largest)) {
      largest = error;
      worst = i;
    }
  }
  if (a.empty()) return;
  EXPECT_LE(largest, tolerance) << what << ": element " << worst << " is " << a[worst] << ", expected " << e[worst];
}

// The case on the device that HEED_TEST_DEVICE names, against the CPU, and against itself repeated.
static void run_elsewhere(const OpCase& c, const char* name, const std::vector<Tensor>& values,
                          const std::vector<Tensor>& expected) {
  if (const CudaDevices found = cuda_devices(); found.devices.empty())
    GTEST_SKIP() << "skipped: no GPU: " << found.why_none;
  const Device device = device_from_name(name);
  const auto there = on_device(device, values);
  const auto results = result_and_gradients(c.op, there);
  for (size_t i = 0; i < results.size(); ++i) {
    const bool may_be_here = i == 0 && results[i].shape() == Shape{1} && results[i].device().is_host();  // a loss
    EXPECT_TRUE(may_be_here || results[i].device() == device) << c.name << ": " << name_of(results[i].device());
  }
  compare(c, results, expected, c.tolerance, fmt::format("the CPU, on {}", name));
  compare(c, result_and_gradients(c.op, there), results, 0, fmt::format("itself repeated on {}", name));
}

void run(const OpCase& c) {
  const auto values = make_inputs(c);
  const auto results = result_and_gradients(c.op, values);
  if (const char* name = std::getenv("HEED_TEST_DEVICE")) return run_elsewhere(c, name, values, results);
  if (c.reference)
    compare(c, results, result_and_gradients(c.reference, values), c.tolerance, "the composed operation");
  compare(c, result_and_gradients(c.op, values), results, 0, "itself repeated");
  for (const int threads : {1, 3}) {
    set_thread_count(threads);
    compare(c, result_and_gradients(c.op, values), results, c.tolerance, fmt::format("{} threads", threads));
  }
  set_thread_count(0);
  if (!c.smooth) return;
  const auto loss = [&](const std::vector<Tensor>& x) {
    const Tensor y = c.op(x);
    return ops::sum(ops::multiply(y, random_tensor(y.shape(), 7)));
  };
  const GradientCheck check = check_gradients(loss, make_inputs(c));
  EXPECT_LE(check.largest_error, c.gradient_tolerance) << c.name << ": " << check.where;
}

}  // namespace heed::testing
