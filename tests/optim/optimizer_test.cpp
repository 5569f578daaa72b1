#include "heed/optim/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "heed/base/random.h"
#include "heed/tensor/backends.h"

namespace heed::optim {
namespace {

// Kingma and Ba's algorithm 1 in double precision, with either kind of decay.
struct Reference {
  double w, m = 0, v = 0;
  void step(double g, double rate, const AdamParams& p, int t) {
    if (!p.decoupled) g += p.weight_decay * w;
    else w *= 1 - rate * p.weight_decay;
    m = p.beta1 * m + (1 - static_cast<double>(p.beta1)) * g;
    v = p.beta2 * v + (1 - static_cast<double>(p.beta2)) * g * g;
    w -= rate * (m / (1 - std::pow(p.beta1, t))) / (std::sqrt(v / (1 - std::pow(p.beta2, t))) + p.epsilon);
  }
};

TEST(Optimizer, FollowsTheAlgorithm) {
  for (const bool decoupled : {true, false}) {
    nn::ParameterStore store;
    const Tensor a = store.create({"a"}, {3, 7}), b = store.create({"b"}, {40000});
    store.flatten();
    EXPECT_EQ(store.count(), 21 + 40000);
    AdamParams params{0, 0.9f, 0.98f, 1e-6f, 0.1f, decoupled, 1, 0};
    Optimizer adam(store, params, true);
    Random random(5);
    std::vector<Reference> expected;
    for (int64_t i = 0; i < store.values().numel(); ++i) {
      store.values().data<float>()[i] = static_cast<float>(random.normal());
      expected.push_back({store.values().data<float>()[i]});
    }
    for (int t = 1; t <= 5; ++t) {
      for (size_t i = 0; i < expected.size(); ++i) {
        const auto g = static_cast<float>(random.normal());
        store.gradients().data<float>()[i] = g;
        expected[i].step(0.5 * g, 1e-2 * t, params, t);
      }
      adam.step(store, 1e-2 * t, 0.5f);
    }
    EXPECT_EQ(adam.steps(), 5);
    for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(store.values().data<float>()[i], expected[i].w, 2e-5) << i;
    EXPECT_EQ(a.data<float>(), store.values().data<float>());
    EXPECT_EQ(b.body()->version, 5u);
  }
}

TEST(Optimizer, LeavesHaveTheirShareOfTheRate) {
  constexpr double kFactors[] = {1, 0, 0.5};
  for (const bool decoupled : {true, false}) {
    nn::ParameterStore store;
    for (const char* name : {"0", "1", "2"}) store.create({name}, {16});
    store.flatten();
    store.set_rates([&](const std::string& name) { return kFactors[name[0] - '0']; });
    const AdamParams params{0, 0.9f, 0.98f, 1e-6f, 0.1f, decoupled, 1, 0};
    Optimizer adam(store, params, true);
    Random random(5);
    std::vector<Reference> expected;
    for (int i = 0; i < 48; ++i)
      expected.push_back({store.values().data<float>()[i] = static_cast<float>(random.normal())});
    for (int t = 1; t <= 3; ++t) {
      for (size_t i = 0; i < expected.size(); ++i) {
        const auto g = static_cast<float>(random.normal());
        store.gradients().data<float>()[i] = g;
        if (i / 16 != 1) expected[i].step(g, 1e-2 * kFactors[i / 16], params, t);
      }
      adam.step(store, 1e-2, 1);
    }
    for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(store.values().data<float>()[i], expected[i].w, 2e-5) << i;
  }
}

TEST(Optimizer, DecaysMatricesAloneUnlessAskedOtherwise) {
  for (const bool decay_all : {false, true}) {
    nn::ParameterStore store;
    const Tensor table = store.create({"table"}, {2, 3}), weight = store.create({"weight"}, {5, 5}),
                 bias = store.create({"bias"}, {5}), scale = store.create({"scale"}, {7}),
                 last = store.create({"last"}, {1, 4});
    store.flatten();
    Backend& on = backend(store.values().device());
    on.fill(store.values().view(), 2);
    on.fill(store.gradients().view(), 0);
    Optimizer adam(store, {0, 0.9f, 0.98f, 1e-6f, 0.5f, true, 1, 0}, decay_all);
    adam.step(store, 0.1, 1);
    for (const Tensor& matrix : {table, weight, last})
      for (const float value : matrix.to_vector<float>()) EXPECT_FLOAT_EQ(value, 2 * 0.95f);
    for (const Tensor& vector : {bias, scale})
      for (const float value : vector.to_vector<float>()) EXPECT_FLOAT_EQ(value, decay_all ? 2 * 0.95f : 2.0f);
  }
}

TEST(Optimizer, MuonUpdatesTheNamedMatricesAndAdamTheRest) {
  constexpr float kRate = 0.02f, kDecay = 0.1f, kScale = 0.5f;
  nn::ParameterStore store;
  const Tensor table = store.create({"table"}, {5, 3}), joint = store.create({"query", "key"}, {8, 6}),
               bias = store.create({"bias"}, {7}), head = store.create({"head"}, {4, 6});
  store.flatten();
  store.set_rates([](const std::string& name) { return name == "query" || name == "key" ? 0.5 : 1.0; });
  Random random(5);
  std::vector<Reference> expected;
  for (int64_t i = 0; i < store.values().numel(); ++i)
    expected.push_back({store.values().data<float>()[i] = static_cast<float>(random.normal())});
  const Tensor query = joint.slice_rows(0, 4).clone(), key = joint.slice_rows(4, 4).clone();
  const Tensor query_momentum = Tensor::zeros({4, 6}), key_momentum = Tensor::zeros({4, 6});
  const AdamParams params{0, 0.9f, 0.98f, 1e-6f, kDecay, true, 1, 0};
  Optimizer optimizer(store, params, true, {{"query", "key"}, 0.9f});
  for (int t = 1; t <= 3; ++t) {
    for (size_t i = 0; i < expected.size(); ++i) {
      store.gradients().data<float>()[i] = static_cast<float>(random.normal());
      expected[i].step(kScale * store.gradients().data<float>()[i], kRate, params, t);
    }
    const Tensor gradient(joint.body()->grad);
    const MuonParams of_matrix{kRate * 0.5f, 0.9f, kDecay, kScale};
    muon({}, query.view(), gradient.slice_rows(0, 4).view(), query_momentum.view(), of_matrix);
    muon({}, key.view(), gradient.slice_rows(4, 4).view(), key_momentum.view(), of_matrix);
    optimizer.step(store, kRate, kScale);
  }
  EXPECT_EQ(joint.slice_rows(0, 4).to_vector<float>(), query.to_vector<float>());
  EXPECT_EQ(joint.slice_rows(4, 4).to_vector<float>(), key.to_vector<float>());
  for (const Tensor& leaf : {table, bias, head}) {
    const int64_t first = leaf.data<float>() - store.values().data<float>();
    for (int64_t i = 0; i < leaf.numel(); ++i)
      ASSERT_NEAR(leaf.data<float>()[i], expected[static_cast<size_t>(first + i)].w, 2e-5);
  }
}

TEST(Optimizer, MuonLeavesFrozenMatricesAlone) {
  nn::ParameterStore store;
  const Tensor weight = store.create({"weight"}, {3, 3}), bias = store.create({"bias"}, {3});
  store.flatten();
  Backend& on = backend(store.values().device());
  on.fill(store.values().view(), 2);
  on.fill(store.gradients().view(), 1);
  store.set_rates([](const std::string& name) { return name == "weight" ? 0.0 : 1.0; });
  Optimizer optimizer(store, {0, 0.9f, 0.98f, 1e-6f, 0.5f, true, 1, 0}, false, {{"weight"}});
  optimizer.step(store, 0.1, 1);
  for (const float value : weight.to_vector<float>()) EXPECT_EQ(value, 2);
  for (const float value : bias.to_vector<float>()) EXPECT_NE(value, 2);
}

// A model of some kinds of leaves, the same each time, with gradients.
struct Leaves {
  nn::ParameterStore store;
  MuonMatrices muon{{"query", "key", "out"}};

  Leaves() {
    store.create({"table"}, {50, 6});
    for (const char* name : {"query", "key", "out"}) {
      store.create({name}, {12, 10});
      store.create({std::string(name) + ".bias"}, {12});
    }
    store.create({"head"}, {9, 12});
    store.flatten();
    store.set_rates([](const std::string& name) { return name == "key" ? 0.5 : name == "out.bias" ? 0.0 : 1.0; });
    Random random(8);
    for (const Tensor& flat : {store.values(), store.gradients()})
      for (int64_t i = 0; i < flat.numel(); ++i) flat.data<float>()[i] = static_cast<float>(random.normal());
  }
};

TEST(Optimizer, SharesTogetherUpdateWhatOneDoes) {
  const AdamParams params{0, 0.9f, 0.98f, 1e-6f, 0.1f, true, 1, 0};
  Leaves whole;
  Optimizer all(whole.store, params, false, whole.muon);
  for (int t = 1; t <= 2; ++t) all.step(whole.store, 0.1, 0.5f);
  for (const int count : {1, 2, 3, 7, 40}) {
    Leaves parts;
    const std::vector<Share> shares = shares_of(parts.store, parts.muon, count);
    ASSERT_EQ(std::ssize(shares), count);
    int64_t end = 0;
    for (const Share& share : shares) {
      EXPECT_EQ(share.begin, end);
      end = share.end;
      Optimizer own(parts.store, params, false, parts.muon, share);
      EXPECT_EQ(own.first_moment().numel(), share.count());
      for (int t = 1; t <= 2; ++t) own.step(parts.store, 0.1, 0.5f);
      EXPECT_EQ(own.first_moment().to_vector<float>(),
                all.first_moment().slice_rows(share.begin, share.count()).to_vector<float>());
    }
    EXPECT_EQ(end, parts.store.values().numel());
    EXPECT_EQ(parts.store.values().to_vector<float>(), whole.store.values().to_vector<float>()) << count;
  }
}

TEST(Shares, AreAboutEquallyLong) {
  nn::ParameterStore store;
  for (int i = 0; i < 100; ++i) store.create({std::to_string(i)}, {160});
  store.flatten();
  for (const Share& share : shares_of(store, {}, 4)) EXPECT_EQ(share.count(), 4000);
}

TEST(Optimizer, MuonNeedsMatricesThatAreThere) {
  nn::ParameterStore store;
  store.create({"weight"}, {3, 3});
  store.create({"bias"}, {3});
  store.flatten();
  EXPECT_THROW(Optimizer(store, {}, false, {{"bias"}}), Error);
  EXPECT_THROW(Optimizer(store, {}, false, {{"weight", "other"}}), Error);
}

}  // namespace
}  // namespace heed::optim
