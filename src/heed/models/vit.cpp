#include "heed/models/vit.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "heed/base/error.h"
#include "heed/models/config_values.h"
#include "heed/models/trace.h"
#include "heed/nn/initialization.h"

namespace heed::models {
namespace {

constexpr int kMaxImageSide = 1 << 14;
constexpr int kMaxPatchSide = 1 << 10;
constexpr int kMaxChannels = 64;
constexpr int64_t kMaxPatches = 1 << 18;

// "image_size": 224 | [height, width]
std::pair<int, int> read_sides(const io::ConfigReader& r, const std::string& key, int fallback, int most,
                               const std::string& file) {
  const Json* value = r.find(key);
  if (!value || !value->is_array()) {
    const int side = r.get_or<int>(key, fallback, 1, most);
    return {side, side};
  }
  const auto fits = [&](const Json& x) { return x.is_number_integer() && x >= 1 && x <= most; };
  check<ConfigError>(value->size() == 2 && std::all_of(value->begin(), value->end(), fits),
                     "{}: {} must be a number, or a height and a width, from 1 to {}", file, key, most);
  return {(*value)[0].get<int>(), (*value)[1].get<int>()};
}

bool read_head(const io::ConfigReader& r, const std::string& file) {
  constexpr std::string_view kWithHead = "ViTForImageClassification", kWithout = "ViTModel";
  const std::vector<std::string> names = r.strings("architectures");
  const std::string name = names.empty() ? std::string(kWithHead) : names[0];
  check<ConfigError>(name == kWithHead || name == kWithout, "{}: architectures names \"{}\"; Heed reads {} and {}",
                     file, name, kWithHead, kWithout);
  return name == kWithHead;
}

ViTConfig read_structure(const Json& json, const std::string& file) {
  const io::ConfigReader r(json, file);
  ViTConfig c;
  c.hidden_size = r.get_or<int>("hidden_size", 768, 1, io::kMaxHidden);
  c.layers = r.get_or<int>("num_hidden_layers", 12, 1, io::kMaxLayers);
  c.heads = r.get_or<int>("num_attention_heads", 12, 1, io::kMaxHeads);
  c.head_dim = r.get_or<int>("head_dim", 0, 1, io::kMaxHidden);
  check<ConfigError>(c.head_dim > 0 || c.hidden_size % c.heads == 0,
                     "{}: hidden_size {} is not a multiple of num_attention_heads {}", file, c.hidden_size, c.heads);
  c.ffn = r.get_or<int>("intermediate_size", 3072, 1, io::kMaxHidden);
  c.activation = read_activation(r, "hidden_act", Activation::kGelu);
  c.dropout = read_rate(r, "hidden_dropout_prob", 0.0f);
  c.attention_dropout = read_rate(r, "attention_probs_dropout_prob", 0.0f);
  c.initializer_range = r.get_or<double>("initializer_range", 0.02, 0, 100);
  c.norm_epsilon = r.get_or<float>("layer_norm_eps", 1e-12f, 0, 1);
  c.image.channels = r.get_or<int>("num_channels", 3, 1, kMaxChannels);
  std::tie(c.image.height, c.image.width) = read_sides(r, "image_size", 224, kMaxImageSide, file);
  std::tie(c.patch_height, c.patch_width) = read_sides(r, "patch_size", 16, kMaxPatchSide, file);
  check<ConfigError>(c.patches() >= 1 && c.patches() <= kMaxPatches,
                     "{}: image_size {} x {} by patch_size {} x {} gives {} patches; from 1 to {} are supported", file,
                     c.image.height, c.image.width, c.patch_height, c.patch_width, c.patches(), kMaxPatches);
  c.qkv_bias = r.get_or("qkv_bias", true);
  r.allow_only("pruned_heads", Json::object());
  c.head = read_head(r, file);
  if (c.head) {
    c.classification = read_classification(r, file);
    return c;
  }
  if (!r.get_or("add_pooling_layer", true)) return c;
  c.pooler_size = r.get_or<int>("pooler_output_size", static_cast<int>(c.hidden_size), 0, io::kMaxHidden);
  if (c.pooler_size == 0) c.pooler_size = c.hidden_size;
  c.pooler = read_activation(r, "pooler_act", Activation::kTanh);
  return c;
}

nn::AttentionNames projections(const std::string& name) {
  return {name + "attention.attention.query", name + "attention.attention.key", name + "attention.attention.value",
          name + "attention.output.dense"};
}

// The patches of the images, row by row, each flattened: [images * patches, channels * patch height * patch width].
Tensor patches_of(const Tensor& pixels, const ViTConfig& c) {
  const int64_t images = pixels.dim(0);
  Tensor patches = Tensor::empty({images * c.patches(), c.patch_numbers()});
  float* out = patches.data<float>();
  for (int64_t i = 0; i < images; ++i)
    for (int y = 0; y + c.patch_height <= c.image.height; y += c.patch_height)
      for (int x = 0; x + c.patch_width <= c.image.width; x += c.patch_width)
        for (int channel = 0; channel < c.image.channels; ++channel)
          for (int row = y; row < y + c.patch_height; ++row)
            out = std::copy_n(
                pixels.data<float>() + ((i * c.image.channels + channel) * c.image.height + row) * c.image.width + x,
                c.patch_width, out);
  return patches;
}

// Each image a row of tokens: its class token, row 0 of a table, and its patches, the rows behind that.
Ragged token_ids(int64_t images, int64_t patches) {
  Ragged ids;
  std::vector<int32_t> row(static_cast<size_t>(patches) + 1);
  for (int64_t i = 0; i < images; ++i) {
    for (int64_t t = 1; t <= patches; ++t) row[static_cast<size_t>(t)] = static_cast<int32_t>(i * patches + t);
    ids.append(row);
  }
  return ids;
}

// The checkpoint's name of a parameter that is named as transformers 5 has it in memory.
std::string checkpoint_name(const std::string& name) {
  static constexpr std::pair<std::string_view, std::string_view> kParts[] = {
      {"vit.layers.", "vit.encoder.layer."},
      {".attention.q_proj.", ".attention.attention.query."},
      {".attention.k_proj.", ".attention.attention.key."},
      {".attention.v_proj.", ".attention.attention.value."},
      {".attention.o_proj.", ".attention.output.dense."},
      {".mlp.fc1.", ".intermediate.dense."},
      {".mlp.fc2.", ".output.dense."}};
  std::string result = name;
  if (!name.starts_with("vit.layers.")) return result;
  for (const auto& [in_memory, stored] : kParts)
    if (const size_t at = result.find(in_memory); at != std::string::npos) result.replace(at, in_memory.size(), stored);
  return result;
}

}  // namespace

ViTLayer::ViTLayer(nn::Builder& b, const std::string& name, const ViTConfig& c)
    : attention(b, projections(name),
                {.model = c.hidden_size,
                 .heads = c.heads,
                 .dropout = c.attention_dropout,
                 .head_dim = c.head_dim,
                 .qkv_bias = c.qkv_bias},
                false),
      attention_residual(b, name + "layernorm_before", c.hidden_size, true, c.dropout, c.norm_epsilon),
      mlp(b, {name + "intermediate.dense", name + "output.dense"}, c.hidden_size, c.ffn, c.activation, 0),
      mlp_residual(b, name + "layernorm_after", c.hidden_size, true, c.dropout, c.norm_epsilon) {}

ViTModel::ViTModel(const ViTConfig& c, Json config, std::optional<uint64_t> seed)
    : ImageModel(std::move(config)), structure_(c) {
  const std::string name = c.head ? "vit." : "", projection = name + "embeddings.patch_embeddings.projection";
  nn::Builder b(store_, seed);
  b.deviation = c.initializer_range;
  class_token_ = store_.create({name + "embeddings.cls_token"}, {1, 1, c.hidden_size});
  positions_ = store_.create({name + "embeddings.position_embeddings"}, {1, 1 + c.patches(), c.hidden_size});
  const Tensor kernel =
      store_.create({projection + ".weight"}, {c.hidden_size, c.image.channels, c.patch_height, c.patch_width});
  for (const Tensor& x : {class_token_, positions_, kernel}) nn::normal(x, c.initializer_range, b);
  patch_weight_ = ops::Weight(kernel.reshape({c.hidden_size, c.patch_numbers()}));
  patch_bias_ = store_.create({projection + ".bias"}, {c.hidden_size});
  nn::constant(patch_bias_, 0, b);
  embedding_site_ = b.take_sites(1);
  for (int i = 0; i < c.layers; ++i) layers_.emplace_back(b, fmt::format("{}encoder.layer.{}.", name, i), c);
  norm_ = nn::Norm(b, name + "layernorm", c.hidden_size, c.norm_epsilon);
  if (c.head) classifier_ = nn::Linear(b, {"classifier"}, c.hidden_size, std::ssize(labels()));
  else if (c.pooler_size > 0) pooler_ = nn::Linear(b, {"pooler.dense"}, c.hidden_size, c.pooler_size);
  store_.flatten();
}

WeightRules ViTModel::weight_rules() const {
  WeightRules rules;
  rules.base_prefix = "vit.";
  rules.rename = checkpoint_name;
  return rules;
}

// z_0
Tensor ViTModel::embed(const Tensor& pixels, const ops::TokenRowsPtr& rows, const nn::Pass& pass) const {
  const int64_t model = structure_.hidden_size, patches = structure_.patches();
  const Tensor projected =
      ops::linear(patches_of(pixels, structure_).to(class_token_.device()), patch_weight_, patch_bias_);
  const Tensor table = ops::concatenate_rows({class_token_.reshape({1, model}), projected});
  const Ragged ids = token_ids(pixels.dim(0), patches);
  return ops::embedding(Tensor::from(ids.ids, {ids.tokens()}), table, 1, rows, positions_.reshape({1 + patches, model}),
                        pass.dropout(structure_.dropout, embedding_site_, rows));  // [images * tokens, model]
}

Tensor ViTModel::hidden(const ImageBatch& batch, const nn::Pass& pass) const {
  const ImageShape& want = structure_.image;
  const Shape& shape = batch.pixels.shape();
  check<ShapeError>(shape.rank() == 4 && shape[1] == want.channels && shape[2] == want.height && shape[3] == want.width,
                    "pixels {} for a model of images [{}, {}, {}]; positions are not interpolated", shape.to_string(),
                    want.channels, want.height, want.width);
  const auto rows = ops::token_rows(token_ids(shape[0], structure_.patches()), batch.examples);
  const ops::SegmentsPtr images = ops::segments(*rows, *rows);
  Tensor x = embed(batch.pixels, rows, pass);
  note(&nn::Trace::encoder_states, pass, x);
  for (const ViTLayer& layer : layers_) {
    std::vector<Tensor>* attentions = next_layer(&nn::Trace::encoder_attentions, pass);
    x = nn::layer(pass, {x}, [&layer, pass, rows, images, attentions](const std::vector<Tensor>& in) {
      const Tensor a = layer.attention_residual(
          in[0], pass, rows, [&](const Tensor& h) { return layer.attention(h, pass, images, attentions); });
      return layer.mlp_residual(a, pass, rows, [&](const Tensor& h) { return layer.mlp(h, pass, rows); });
    });
    note(&nn::Trace::encoder_states, pass, x);
  }
  return norm_(x);
}

// The first token of each image: [images, model], part of the same array.
Tensor ViTModel::class_tokens(const Tensor& hidden) const {
  const int64_t model = structure_.hidden_size, tokens = 1 + structure_.patches();
  return hidden.reshape({hidden.dim(0) / tokens, tokens * model}).slice_columns(0, model);
}

Tensor ViTModel::pooled(const Tensor& hidden) const {
  return structure_.pooler_size > 0 ? pooler_(class_tokens(hidden), structure_.pooler) : Tensor();
}

Tensor ViTModel::logits(const ImageBatch& batch, const nn::Pass& pass) const {
  check<UsageError>(structure_.head, "the model has no classification head");
  return classifier_(class_tokens(hidden(batch, pass)));
}

HeadLoss ViTModel::loss(const ImageBatch& batch, const Targets& targets, const LossOptions& options) const {
  return classification_loss(problem(), logits(batch, options.pass), targets, options);
}

std::unique_ptr<Model> make_vit(const Json& config, const std::string& file, std::optional<uint64_t> seed) {
  return std::make_unique<ViTModel>(read_structure(config, file), config, seed);
}

Json new_vit(const NewModel& m) {
  return {{"model_type", "vit"},
          {"architectures", {m.head == Head::kNone ? "ViTModel" : "ViTForImageClassification"}},
          {"image_size", m.image.height == m.image.width ? Json(m.image.height) : Json{m.image.height, m.image.width}},
          {"num_channels", m.image.channels},
          {"patch_size", m.patch},
          {"hidden_size", m.d_model},
          {"num_hidden_layers", m.layers},
          {"num_attention_heads", m.head_count()},
          {"intermediate_size", m.ffn_width()},
          {"hidden_act", "gelu"},
          {"hidden_dropout_prob", m.dropout_rate(0)},
          {"attention_probs_dropout_prob", m.dropout_rate(0)},
          {"layer_norm_eps", 1e-12},
          // Glorot's for square maps: 0.02, meant for a width of 768, learns several times slower in narrow models.
          {"initializer_range", std::round(1e4 / std::sqrt(m.d_model)) / 1e4},
          {"qkv_bias", true}};
}

}  // namespace heed::models
