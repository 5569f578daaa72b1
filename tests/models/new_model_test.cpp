// New models of every family from a few sizes, and heads laid on the bodies of others.
#include "heed/models/new_model.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "heed/base/error.h"
#include "heed/io/model_folder.h"
#include "heed/models/registry.h"
#include "heed/models/save.h"
#include "heed/models/weights.h"
#include "message_of.h"
#include "shared_files.h"

namespace heed::models {
namespace {

namespace fs = std::filesystem;
using heed::testing::message_of;
using heed::testing::TemporaryFolder;
using ::testing::HasSubstr;

NewModel small() {
  NewModel m;
  m.layers = 2;
  m.d_model = 32;
  m.heads = 4;
  m.ffn = 48;
  m.positions = 24;
  m.vocab = 40;
  m.ids = {0, 1, 2};
  m.dropout = 0.2f;
  m.image = {1, 8, 12};
  m.patch = 4;
  return m;
}

void save(const Model& model, const fs::path& folder) { io::write_model_folder(folder, content_of(model, nullptr)); }

Tensor parameter(const Model& model, const std::string& name) {
  for (const auto& [n, tensor] : model.parameters().named())
    if (n == name) return tensor;
  ADD_FAILURE() << "no parameter " << name;
  return {};
}

TEST(NewModel, EveryFamilyIsMadeSavedAndReadBack) {
  const TemporaryFolder folder;
  for (const Kind kind : {Kind::kSeq2Seq, Kind::kCausal, Kind::kEncoder, Kind::kImage}) {
    const auto families = families_of(kind);
    ASSERT_FALSE(families.empty());
    for (const std::string& family : families) {
      SCOPED_TRACE(family);
      const auto model = make_model(new_config(family, small()), "test", 3);
      save(*model, folder / family);
      const auto again = load_model(io::ModelFolder::open(folder / family));
      ASSERT_EQ(again->parameters().count(), model->parameters().count());
      EXPECT_EQ(again->parameters().values().to_vector<float>(), model->parameters().values().to_vector<float>());
      // Not constant: drawn from the seed.
      const auto other = make_model(new_config(family, small()), "test", 4);
      EXPECT_NE(other->parameters().values().to_vector<float>(), model->parameters().values().to_vector<float>());
    }
  }
}

TEST(NewModel, SizesAreThoseAskedFor) {
  const auto model = make_model(new_config("bert", small()), "test", 3);
  EXPECT_EQ(parameter(*model, "embeddings.word_embeddings.weight").shape(), Shape({40, 32}));
  EXPECT_EQ(parameter(*model, "embeddings.position_embeddings.weight").shape(), Shape({24, 32}));
  EXPECT_EQ(parameter(*model, "encoder.layer.1.intermediate.dense.weight").shape(), Shape({48, 32}));
  EXPECT_EQ(model->config()["hidden_dropout_prob"], 0.2);
  NewModel m = small();
  m.kv_heads = 2;
  const auto llama = make_model(new_config("llama", m), "test", 3);
  EXPECT_EQ(parameter(*llama, "model.layers.0.self_attn.k_proj.weight").shape(), Shape({16, 32}));
}

TEST(NewModel, RefusesWhatDoesNotFit) {
  NewModel m = small();
  m.heads = 5;
  EXPECT_THAT(message_of([&] { new_config("bert", m); }), HasSubstr("--d-model 32 is no multiple of --heads 5"));
  m = small();
  m.kv_heads = 3;
  EXPECT_THAT(message_of([&] { new_config("llama", m); }), HasSubstr("--kv-heads 3"));
  EXPECT_THAT(message_of([&] { new_config("marian", small()); }), HasSubstr("train translation"));
  m = small();
  m.ids.pad = -1;
  EXPECT_THAT(message_of([&] { new_config("roberta", m); }), HasSubstr("padding token"));
}

TEST(LoadWithHead, AnotherHeadIsNewAndTheBodyIsLoaded) {
  const TemporaryFolder folder;
  for (const std::string& family : families_of(Kind::kEncoder)) {
    SCOPED_TRACE(family);
    NewModel m = small();
    m.head = Head::kMaskedLM;
    const auto pretrained = make_model(new_config(family, m), "test", 3);
    save(*pretrained, folder / family);
    m.head = Head::kSequenceClassification;
    m.labels = {"no", "perhaps", "yes"};
    m.dropout = 0.3f;
    const WithHead loaded = load_with_head(io::ModelFolder::open(folder / family), m, 9);
    EXPECT_FALSE(loaded.fresh.empty());
    for (const auto& [name, tensor] : loaded.model->parameters().named()) {
      if (std::ranges::find(loaded.fresh, name) != loaded.fresh.end()) continue;
      EXPECT_EQ(tensor.to_vector<float>(), parameter(*pretrained, name).to_vector<float>()) << name;
    }
    const auto& encoder = dynamic_cast<const EncoderModel&>(*loaded.model);
    EXPECT_EQ(encoder.head(), Head::kSequenceClassification);
    EXPECT_EQ(encoder.labels(), m.labels);
    EXPECT_TRUE(std::ranges::any_of(loaded.model->config().items(), [](const auto& item) {
      return item.key().find("drop") != std::string::npos && item.value() == 0.3;
    }));
    // The same head with other labels: the classifier alone is new.
    save(*loaded.model, folder / (family + "-2"));
    m.labels = {"no", "yes"};
    const WithHead relabelled = load_with_head(io::ModelFolder::open(folder / (family + "-2")), m, 9);
    EXPECT_EQ(relabelled.fresh.size(), 2u);
    // The same labels: nothing is.
    m.labels = {"no", "perhaps", "yes"};
    EXPECT_TRUE(load_with_head(io::ModelFolder::open(folder / (family + "-2")), m, 9).fresh.empty());
  }
}

TEST(LoadWithHead, ABodyThatLacksAPartIsRefused) {
  const TemporaryFolder folder;
  NewModel m = small();
  m.head = Head::kMaskedLM;
  const auto model = make_model(new_config("bert", m), "test", 3);
  io::ModelContent content = content_of(*model, nullptr);
  std::erase_if(content.tensors,
                [](const io::NamedView& t) { return t.name == "bert.encoder.layer.1.output.dense.weight"; });
  io::write_model_folder(folder / "model", content);
  m.head = Head::kSequenceClassification;
  m.labels = {"a", "b"};
  EXPECT_THAT(message_of([&] { load_with_head(io::ModelFolder::open(folder / "model"), m, 9); }),
              HasSubstr("tensors are missing: bert.encoder.layer.1.output.dense.weight"));
}

}  // namespace
}  // namespace heed::models
