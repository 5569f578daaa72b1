#include "heed/optim/adam.h"

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

TEST(Adam, FollowsTheAlgorithm) {
  for (const bool decoupled : {true, false}) {
    nn::ParameterStore store;
    const Tensor a = store.create({"a"}, {3, 7}), b = store.create({"b"}, {40000});
    store.flatten();
    EXPECT_EQ(store.count(), 21 + 40000);
    AdamParams params{0, 0.9f, 0.98f, 1e-6f, 0.1f, decoupled, 1, 0};
    Adam adam(store, params, true);
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

TEST(Adam, LeavesHaveTheirShareOfTheRate) {
  constexpr double kFactors[] = {1, 0, 0.5};
  for (const bool decoupled : {true, false}) {
    nn::ParameterStore store;
    for (const char* name : {"0", "1", "2"}) store.create({name}, {16});
    store.flatten();
    store.set_rates([&](const std::string& name) { return kFactors[name[0] - '0']; });
    const AdamParams params{0, 0.9f, 0.98f, 1e-6f, 0.1f, decoupled, 1, 0};
    Adam adam(store, params, true);
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

TEST(Adam, DecaysMatricesAloneUnlessAskedOtherwise) {
  for (const bool decay_all : {false, true}) {
    nn::ParameterStore store;
    const Tensor table = store.create({"table"}, {2, 3}), weight = store.create({"weight"}, {5, 5}),
                 bias = store.create({"bias"}, {5}), scale = store.create({"scale"}, {7}),
                 last = store.create({"last"}, {1, 4});
    store.flatten();
    Backend& on = backend(store.values().device());
    on.fill(store.values().view(), 2);
    on.fill(store.gradients().view(), 0);
    Adam adam(store, {0, 0.9f, 0.98f, 1e-6f, 0.5f, true, 1, 0}, decay_all);
    adam.step(store, 0.1, 1);
    for (const Tensor& matrix : {table, weight, last})
      for (const float value : matrix.to_vector<float>()) EXPECT_FLOAT_EQ(value, 2 * 0.95f);
    for (const Tensor& vector : {bias, scale})
      for (const float value : vector.to_vector<float>()) EXPECT_FLOAT_EQ(value, decay_all ? 2 * 0.95f : 2.0f);
  }
}

}  // namespace
}  // namespace heed::optim
