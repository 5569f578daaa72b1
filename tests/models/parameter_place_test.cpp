#include "heed/models/parameter_place.h"

#include <gmock/gmock.h>

#include <set>

#include "heed/base/error.h"
#include "heed/models/registry.h"

namespace heed::models {
namespace {

using ::testing::HasSubstr;

NewModel small() {
  NewModel m;
  m.layers = 3;
  m.d_model = 32;
  m.heads = 2;
  m.positions = 24;
  m.vocab = 40;
  m.ids = {0, 1, 2};
  m.image = {1, 8, 8};
  m.labels = {"a", "b"};
  return m;
}

TEST(ParameterPlace, IsToldByTheName) {
  EXPECT_EQ(layer_of("bert.encoder.layer.11.attention.self.query.weight"), 11);
  EXPECT_EQ(layer_of("transformer.h.0.attn.c_attn.weight"), 0);
  EXPECT_EQ(layer_of("decoder.block.5.layer.1.EncDecAttention.q.weight"), 5);
  EXPECT_EQ(layer_of("model.layers.2.self_attn.q_proj.weight"), 2);
  EXPECT_EQ(layer_of("transformer.wte.weight"), kEmbeddings);
  EXPECT_EQ(layer_of("shared.weight"), kEmbeddings);
  EXPECT_EQ(layer_of("model.encoder.layernorm_embedding.bias"), kEmbeddings);
  EXPECT_EQ(layer_of("classifier.weight"), kTop);
  EXPECT_EQ(layer_of("model.norm.weight"), kTop);
}

// Every family's layers are found, and something before them.
TEST(ParameterPlace, HoldsForEveryFamily) {
  for (const Kind kind : {Kind::kSeq2Seq, Kind::kCausal, Kind::kEncoder, Kind::kImage})
    for (const std::string& family : families_of(kind)) {
      SCOPED_TRACE(family);
      const auto model = make_model(new_config(family, small()), "test", 1);
      EXPECT_EQ(layer_count(model->parameters()), 3);
      std::map<int, int> counts;
      for (const auto& [name, tensor] : model->parameters().named()) ++counts[layer_of(name)];
      EXPECT_GT(counts[kEmbeddings], 0);
      EXPECT_EQ(counts[0] > counts[1] ? counts[1] : counts[0], counts[2]);  // the first may hold a table more
    }
}

// Within the layers all matrices are linear maps' but the tables of relative positions.
TEST(LayerMatrices, AreThoseOfEveryFamily) {
  for (const Kind kind : {Kind::kSeq2Seq, Kind::kCausal, Kind::kEncoder, Kind::kImage})
    for (const std::string& family : families_of(kind)) {
      SCOPED_TRACE(family);
      const auto model = make_model(new_config(family, small()), "test", 1);
      std::multiset<std::string> expected;
      for (const auto& [name, tensor] : model->parameters().named()) {
        const int layer = layer_of(name);
        const bool is_table = name.find("relative_attention_bias") != std::string::npos;
        if (layer >= 0 && layer != kTop && tensor.shape().rank() == 2 && !is_table) expected.insert(name);
      }
      const std::vector<std::string> found = layer_matrices(model->parameters());
      EXPECT_EQ(std::multiset<std::string>(found.begin(), found.end()), expected);
      EXPECT_GE(expected.size(), 12u);
    }
}

TEST(SetRates, FreezesFromBelowAndDecaysFromAbove) {
  NewModel m = small();
  m.head = Head::kTokenClassification;
  const std::string family = families_of(Kind::kEncoder).front();
  const auto model = make_model(new_config(family, m), "test", 1);
  const auto factors = [&](const FineTuning& tuning) {
    set_rates(model->parameters(), tuning);
    std::map<int, double> by_layer;
    for (const auto& [name, tensor] : model->parameters().named()) {
      const auto& view = tensor.view();
      const int64_t at = view.as<float>() - model->parameters().values().data<float>();
      double factor = 0;
      for (const auto& part : model->parameters().rates())
        if (at >= part.begin && at < part.begin + part.count) factor = part.factor;
      EXPECT_EQ(tensor.requires_grad(), factor > 0) << name;
      by_layer[layer_of(name)] = factor;
    }
    return by_layer;
  };
  using Factors = std::map<int, double>;
  EXPECT_EQ(factors({}), (Factors{{kEmbeddings, 1}, {0, 1}, {1, 1}, {2, 1}, {kTop, 1}}));
  EXPECT_EQ(factors({.freeze_embeddings = true}), (Factors{{kEmbeddings, 0}, {0, 1}, {1, 1}, {2, 1}, {kTop, 1}}));
  EXPECT_EQ(factors({.freeze_layers = 2, .layer_decay = 0.5}),
            (Factors{{kEmbeddings, 0}, {0, 0}, {1, 0}, {2, 0.5}, {kTop, 1}}));
  EXPECT_EQ(factors({.layer_decay = 0.5}),
            (Factors{{kEmbeddings, 0.0625}, {0, 0.125}, {1, 0.25}, {2, 0.5}, {kTop, 1}}));
  try {
    set_rates(model->parameters(), {.freeze_layers = 4});
    FAIL();
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), HasSubstr("--freeze 4: the model has 3 layers"));
  }
}

}  // namespace
}  // namespace heed::models
