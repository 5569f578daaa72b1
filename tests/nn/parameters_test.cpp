#include "heed/nn/parameters.h"

#include <gtest/gtest.h>

#include "heed/nn/initialization.h"
#include "heed/nn/layers.h"
#include "heed/ops/ops.h"
#include "heed/tensor/backends.h"

namespace heed::nn {
namespace {

TEST(ParameterStore, JointLeavesAndFlatBuffers) {
  ParameterStore store;
  const Tensor joint = store.create({"q", "k", "v"}, {6, 5});
  const Tensor bias = store.create({"b"}, {3});
  const Tensor constant = store.create_constant("c", {1, 4});
  for (int64_t i = 0; i < joint.numel(); ++i) joint.data<float>()[i] = static_cast<float>(i);
  store.flatten();
  ASSERT_EQ(store.named().size(), 5u);
  EXPECT_EQ(store.named()[1].name, "k");
  EXPECT_EQ(store.named()[1].tensor.data<float>()[0], 10);  // values moved with the leaf
  EXPECT_EQ(store.count(), 33);
  EXPECT_EQ(joint.data<float>(), store.values().data<float>());
  EXPECT_FALSE(constant.requires_grad());
  EXPECT_THROW(store.create({"late"}, {1}), Error);
}

TEST(ParameterStore, GradientsAreWholeAfterCompletion) {
  ParameterStore store;
  const Tensor used = store.create({"used"}, {1, 4}), unused = store.create({"unused"}, {1, 4});
  store.flatten();
  for (int64_t i = 0; i < store.values().numel(); ++i) store.values().data<float>()[i] = 1;
  for (int pass = 0; pass < 2; ++pass) {
    store.clear_gradients();
    for (int64_t i = 0; i < store.gradients().numel(); ++i) store.gradients().data<float>()[i] = 99;  // stale
    backward(ops::sum(ops::scale(used, 3)));
    store.complete_gradients();
    EXPECT_EQ(used.grad().to_vector<float>(), std::vector<float>(4, 3));
    EXPECT_EQ(unused.grad().to_vector<float>(), std::vector<float>(4, 0));
  }
}

TEST(ParameterStore, MatricesAloneAreComputedInBf16) {
  ParameterStore store;
  const Tensor matrix = store.create({"w"}, {2, 4}), bias = store.create({"b"}, {4});
  store.flatten();
  store.compute_in(DType::kBF16);
  EXPECT_EQ(ops::Weight(matrix).product_dtype(), DType::kBF16);
  EXPECT_EQ(bias.body()->product, DType::kF32);
  store.compute_in(DType::kF32);
  EXPECT_EQ(ops::Weight(matrix).product_dtype(), DType::kF32);
  EXPECT_THROW(store.compute_in(DType::kF16), Error);
}

TEST(ParameterStore, LaidOutForInference) {
  ParameterStore store;
  Builder b(store, std::nullopt);
  const Linear joint(b, {"q", "k"}, 32, 64), mixed(b, {"m", "n"}, 32, 64);
  const Tensor table = store.create({"table"}, {10, 32});
  const Tensor cube = store.create({"cube"}, {2, 3, 4});
  store.create_constant("constant", {1, 4});
  const size_t before = backend().bytes_in_use();
  store.flatten();
  store.lay_out_for_inference([](const std::string& name) { return name == "m.weight" ? DType::kF32 : DType::kBF16; });
  EXPECT_LT(backend().bytes_in_use(), before);
  EXPECT_EQ(joint.weight.master().dtype(), DType::kBF16);
  EXPECT_EQ(mixed.weight.master().dtype(), DType::kF32);  // two types in one matrix
  EXPECT_EQ(table.dtype(), DType::kBF16);
  EXPECT_EQ(cube.dtype(), DType::kF32);
  EXPECT_EQ(joint.bias.dtype(), DType::kF32);
  for (const auto& [name, tensor] : store.named()) {
    backend().fill(tensor.view(), static_cast<double>(name.front()));
    EXPECT_FALSE(tensor.requires_grad()) << name;
    EXPECT_FALSE(tensor.grad().defined()) << name;
  }
  for (const auto& [name, tensor] : store.named()) {  // nothing lies on anything else, and names are still their rows
    const Tensor wide = Tensor::empty(tensor.shape());
    backend().copy(tensor.view(), wide.view());
    const std::vector<float> expected(static_cast<size_t>(tensor.numel()), static_cast<float>(name.front()));
    EXPECT_EQ(wide.to_vector<float>(), expected) << name;
  }
  EXPECT_EQ(store.count(), 2 * (64 * 32 + 64) + 320 + 24);
  for (const auto& refused :
       std::vector<std::function<void()>>{[&] { store.values(); }, [&] { store.gradients(); }, [&] { store.reopen(); },
                                          [&] {
                                            store.clear_gradients();
                                            store.complete_gradients();
                                          }})
    EXPECT_THROW(refused(), Error);
  // What only products read is given up; what is looked up as well stays.
  const NoGrad no_grad;
  const Tensor x = Tensor::full({1, 32}, 1);
  EXPECT_EQ(joint(x).to_vector<float>().front(), 32.0f * 'q' + 'q');
  EXPECT_THROW(joint.weight.master().view(), Error);
  ops::linear(x, ops::Weight(table));
  EXPECT_TRUE(table.view());
}

// Packing takes no memory beside, though 33 rows do not fill the last panel.
TEST(ParameterStore, MatricesHaveRoomToBePackedIn) {
  ParameterStore store;
  const Tensor leaf = store.create({"w"}, {33, 512});
  store.flatten();
  store.lay_out_for_inference([](const std::string&) { return DType::kF32; });
  backend().fill(leaf.view(), 2);
  const void* memory = leaf.view().data;
  const ops::Weight weight(leaf);
  weight.give_up_when_packed();
  const size_t before = backend().bytes_in_use();
  const NoGrad no_grad;
  EXPECT_EQ(ops::linear(Tensor::full({1, 512}, 1), weight).to_vector<float>(), std::vector<float>(33, 1024));
  EXPECT_EQ(backend().bytes_in_use(), before);
  EXPECT_NE(Tensor::empty({64, 512}).view().data, memory);  // it was not given back for a copy
}

TEST(ParameterStore, FrozenLeavesGetNoGradientAndOthersTheirRate) {
  ParameterStore store;
  const Tensor a = store.create({"a"}, {1, 16}), joint = store.create({"q", "k"}, {2, 16});
  const Tensor b = store.create({"b"}, {1, 16}), c = store.create({"c"}, {1, 3});
  store.flatten();
  const auto parts = [&] {
    std::vector<std::vector<double>> all;
    for (const auto& [begin, count, factor] : store.rates())
      all.push_back({static_cast<double>(begin), static_cast<double>(count), factor});
    return all;
  };
  EXPECT_EQ(parts(), (std::vector<std::vector<double>>{{0, 80, 1}}));
  store.set_rates([](const std::string& name) { return name == "a" ? 0.0 : name == "c" ? 0.25 : 0.5; });
  EXPECT_EQ(parts(), (std::vector<std::vector<double>>{{16, 48, 0.5}, {64, 16, 0.25}}));
  EXPECT_FALSE(a.requires_grad());
  EXPECT_TRUE(joint.requires_grad());
  for (int64_t i = 0; i < store.values().numel(); ++i) store.values().data<float>()[i] = 1;
  for (int pass = 0; pass < 2; ++pass) {
    store.clear_gradients();
    backward(ops::sum(ops::multiply(a, b)));
    store.complete_gradients();
    EXPECT_EQ(b.grad().to_vector<float>(), std::vector<float>(16, 1));
    for (int64_t i = 0; i < 16; ++i) EXPECT_EQ(store.gradients().data<float>()[i], 0);
  }
  EXPECT_THROW(store.set_rates([](const std::string& name) { return name == "q" ? 0.0 : 1.0; }), Error);
}

TEST(Initialization, IsAPureFunctionOfTheSeed) {
  const auto build = [](uint64_t seed) {
    ParameterStore store;
    Builder b(store, seed);
    const Linear linear(b, {"w"}, 50, 40);
    return linear.weight.master().to_vector<float>();
  };
  EXPECT_EQ(build(1), build(1));
  EXPECT_NE(build(1), build(2));
  const double limit = std::sqrt(6.0 / 90);
  for (const float w : build(1)) EXPECT_LE(std::abs(w), limit);
}

}  // namespace
}  // namespace heed::nn
