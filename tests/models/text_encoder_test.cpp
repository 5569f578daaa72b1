// What the goldens do not say of encoders: configurations that are refused, other names in folders, new models.
#include "heed/base/files.h"
#include "heed/io/model_folder.h"
#include "heed/models/registry.h"
#include "heed/models/save.h"
#include "models/golden.h"
#include "shared_files.h"

namespace heed {
namespace {

using models::EncoderModel;
using models::Head;

std::filesystem::path golden(const std::string& name) { return testing::source_path("tests/golden/models") / name; }

// What loading says when `key` of a folder's configuration is changed; "" if it loads.
std::string reason(const std::string& folder, const std::string& key, const Json& value) {
  testing::TemporaryFolder changed;
  std::filesystem::copy(golden(folder) / "model.safetensors", changed / "model.safetensors");
  Json config = read_json(golden(folder) / "config.json");
  config[key] = value;
  write_json(changed / "config.json", config);
  try {
    models::load_as<EncoderModel>(io::ModelFolder::open(changed.path()));
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(TextEncoder, UnsupportedValuesAreNamed) {
  for (const std::string folder : {"bert_regression", "roberta_classify"}) {
    for (const auto& [key, value] :
         std::vector<std::pair<std::string, Json>>{{"hidden_act", "mish"},
                                                   {"hidden_size", -1},
                                                   {"num_attention_heads", 3},
                                                   {"num_hidden_layers", 0},
                                                   {"hidden_dropout_prob", 2},
                                                   {"classifier_dropout", "x"},
                                                   {"layer_norm_eps", 1e308},
                                                   {"position_embedding_type", "relative_key"},
                                                   {"is_decoder", true},
                                                   {"add_cross_attention", true},
                                                   {"max_position_embeddings", 1LL << 31},
                                                   {"pad_token_id", 99999},
                                                   {"problem_type", "ranking"},
                                                   {"id2label", {{"0", "a"}, {"7", "b"}}},
                                                   {"architectures", {"GPT2LMHeadModel"}}})
      EXPECT_NE(reason(folder, key, value).find(key), std::string::npos) << key << ": " << reason(folder, key, value);
    EXPECT_EQ(reason(folder, "a_key_of_the_future", 3), "");
    EXPECT_NE(reason(folder, "num_hidden_layers", 2).find("encoder.layer.1"), std::string::npos);
  }
  for (const auto& [key, value] : std::vector<std::pair<std::string, Json>>{
           {"activation", "mish"}, {"dim", -1}, {"n_heads", 3}, {"n_layers", 0}, {"sinusoidal_pos_embds", "x"}})
    EXPECT_NE(reason("distilbert_answer", key, value).find(key), std::string::npos) << key;
  EXPECT_NE(reason("distilbert_answer", "qa_dropout", 2).find("qa_dropout"), std::string::npos);
  EXPECT_NE(reason("roberta_classify", "pad_token_id", Json()).find("pad_token_id"), std::string::npos);
}

// A base model whose tensors have the prefix, and one with heads that have none: as in folders that others wrote.
TEST(TextEncoder, ThePrefixMayBeThereOrNot) {
  for (const auto& [folder, prefix] : {std::pair<std::string, std::string>{"bert_base_pooler", "bert."},
                                       {"roberta_base", "roberta."},
                                       {"distilbert_base", "distilbert."}}) {
    const auto from = io::ModelFolder::open(golden(folder));
    const auto expected = models::load_as<EncoderModel>(from);
    testing::TemporaryFolder changed;
    std::vector<io::NamedView> tensors;
    for (const std::string& name : from.names()) tensors.push_back({prefix + name, from.view(name)});
    io::write_safetensors(changed / "model.safetensors", tensors);
    write_json(changed / "config.json", from.config());
    const auto model = models::load_as<EncoderModel>(io::ModelFolder::open(changed.path()));
    models::TextBatch batch;
    batch.ids.append(std::vector<int32_t>{5, 6, 7});
    EXPECT_EQ(model->hidden(batch, {}).to_vector<float>(), expected->hidden(batch, {}).to_vector<float>());
  }
}

// A base model that was saved without its pooler has none, is written back without, and takes a new head.
TEST(TextEncoder, ThePoolerMayBeMissing) {
  for (const std::string family : {"bert", "roberta"}) {
    const auto from = io::ModelFolder::open(golden(family == "bert" ? "bert_base_pooler" : "roberta_base"));
    const auto whole = models::load_as<EncoderModel>(from);
    testing::TemporaryFolder folder;
    std::vector<io::NamedView> tensors;
    for (const std::string& name : from.names())
      if (!name.starts_with("pooler.")) tensors.push_back({name, from.view(name)});
    std::filesystem::create_directory(folder / "without");
    io::write_safetensors(folder / "without" / "model.safetensors", tensors);
    write_json(folder / "without" / "config.json", from.config());
    const auto without = io::ModelFolder::open(folder / "without");
    const auto model = models::load_as<EncoderModel>(without);
    models::TextBatch batch;
    batch.ids.append(std::vector<int32_t>{5, 6, 7});
    const Tensor hidden = model->hidden(batch, {});
    EXPECT_EQ(hidden.to_vector<float>(), whole->hidden(batch, {}).to_vector<float>());
    EXPECT_TRUE(whole->pooled(hidden, batch).defined());
    EXPECT_FALSE(model->pooled(hidden, batch).defined());
    io::write_model_folder(folder / "back", models::content_of(*model, &without));
    const auto back = io::ModelFolder::open(folder / "back");
    EXPECT_EQ(back.names(), without.names());
    EXPECT_EQ(back.config(), without.config());
    models::NewModel wanted;
    wanted.head = Head::kSequenceClassification;
    wanted.labels = {"no", "yes"};
    const auto made = models::load_with_head(without, wanted, 3);
    EXPECT_EQ(made.fresh.size(), 4u) << family;  // a dense layer (BERT's pooler) and the classifier
  }
  // Half a pooler is a damaged folder.
  const auto from = io::ModelFolder::open(golden("roberta_base"));
  testing::TemporaryFolder folder;
  std::vector<io::NamedView> tensors;
  for (const std::string& name : from.names())
    if (name != "pooler.dense.bias") tensors.push_back({name, from.view(name)});
  io::write_safetensors(folder / "model.safetensors", tensors);
  write_json(folder / "config.json", from.config());
  EXPECT_THROW(models::load_model(io::ModelFolder::open(folder.path())), FormatError);
}

TEST(TextEncoder, BatchesThatDoNotFit) {
  const auto model = models::load_as<EncoderModel>(io::ModelFolder::open(golden("bert_regression")));
  models::TextBatch batch;
  batch.ids.append(std::vector<int32_t>{1, 2});
  EXPECT_NO_THROW(model->hidden(batch, {}));
  auto changed = batch;
  changed.ids.append({});
  EXPECT_THROW(model->hidden(changed, {}), DataError);
  changed = batch;
  changed.ids.ids[0] = 1 << 20;
  EXPECT_THROW(model->hidden(changed, {}), DataError);
  changed = batch;
  changed.types = {0, 9};
  EXPECT_THROW(model->hidden(changed, {}), DataError);
  changed = batch;
  changed.visible = {3};
  EXPECT_THROW(model->hidden(changed, {}), ShapeError);
  changed = {};
  changed.ids.append(std::vector<int32_t>(static_cast<size_t>(model->max_length()) + 1, 3));
  EXPECT_THROW(model->hidden(changed, {}), DataError);
  const auto base = models::load_as<EncoderModel>(io::ModelFolder::open(golden("bert_base_pooler")));
  EXPECT_THROW(base->logits(batch, {}), UsageError);
}

// A new model learns: drawn from a seed, the same every time.
TEST(TextEncoder, NewModels) {
  for (const std::string folder : {"bert_mlm_untied", "distilbert_tag", "roberta_classify"}) {
    const Json config = read_json(golden(folder) / "config.json");
    const auto one = models::make_model(config, "config.json", 1), same = models::make_model(config, "config.json", 1),
               other = models::make_model(config, "config.json", 2);
    const auto values = one->parameters().values().to_vector<float>();
    EXPECT_EQ(values, same->parameters().values().to_vector<float>());
    EXPECT_NE(values, other->parameters().values().to_vector<float>());
    for (const auto& [name, tensor] : one->parameters().named()) {
      double sum = 0, squares = 0;
      for (const float x : tensor.to_vector<float>()) {
        sum += x;
        squares += static_cast<double>(x) * x;
      }
      const auto n = static_cast<double>(tensor.numel());
      const bool norm = name.find("orm.weight") != std::string::npos;
      const double deviation = name.ends_with(".bias") || norm ? 0 : 0.02;
      EXPECT_NEAR(sum / n, norm ? 1 : 0, 0.006) << name;
      EXPECT_NEAR(std::sqrt(std::max(0.0, squares / n - sum / n * (sum / n))), deviation, 0.006) << name;
    }
  }
}

// Dropout acts in training, the same for the same key, and nowhere else.
TEST(TextEncoder, Dropout) {
  const auto model = models::load_as<EncoderModel>(io::ModelFolder::open(golden("distilbert_mlm")));
  models::TextBatch batch;
  batch.ids.append(std::vector<int32_t>{5, 6, 7, 8});
  nn::Pass training;
  training.training = true;
  training.dropout_key = 3;
  const auto drawn = model->logits(batch, training).to_vector<float>();
  EXPECT_EQ(drawn, model->logits(batch, training).to_vector<float>());
  EXPECT_NE(drawn, model->logits(batch, {}).to_vector<float>());
  training.dropout_key = 4;
  EXPECT_NE(drawn, model->logits(batch, training).to_vector<float>());
}

}  // namespace
}  // namespace heed
