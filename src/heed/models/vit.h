// The Vision Transformer (Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words") as transformers' ViTModel and
// ViTForImageClassification store it.
//
//   z_0 = [x_class; x_patch_1 E; …; x_patch_N E] + E_pos          (equation 1)
//   z'_l = MSA(LN(z_{l-1})) + z_{l-1}                              (equation 2)
//   z_l = MLP(LN(z'_l)) + z'_l                                     (equation 3)
//   y = LN(z_L)_class                                              (equation 4)
//
// The patch embedding E, a convolution whose stride is its kernel, is a linear map of flattened patches.
#pragma once

#include "heed/models/classification.h"
#include "heed/models/new_model.h"
#include "heed/nn/attention.h"

namespace heed::models {

// Plain data with transformers' names and defaults.
struct ViTConfig {
  int64_t hidden_size = 768;
  int layers = 12;
  int heads = 12;
  int head_dim = 0;  // 0: hidden_size / heads
  int64_t ffn = 3072;
  Activation activation = Activation::kGelu;
  float dropout = 0, attention_dropout = 0;
  double initializer_range = 0.02;
  float norm_epsilon = 1e-12f;
  ImageShape image{3, 224, 224};
  int patch_height = 16, patch_width = 16;
  bool qkv_bias = true;
  bool head = true;               // a classifier on the class token
  Classification classification;  // of the head
  int64_t pooler_size = 0;        // of the pooler's output; 0: there is none
  Activation pooler = Activation::kNone;

  int64_t patches() const { return int64_t{image.height / patch_height} * (image.width / patch_width); }
  int64_t patch_numbers() const { return int64_t{image.channels} * patch_height * patch_width; }
};

struct ViTLayer {
  nn::SelfAttention attention;
  nn::Residual attention_residual;
  nn::FeedForward mlp;
  nn::Residual mlp_residual;
  ViTLayer(nn::Builder& b, const std::string& name, const ViTConfig& c);
};

class ViTModel final : public ImageModel {
 public:
  ViTModel(const ViTConfig& structure, Json config, std::optional<uint64_t> seed);

  nn::ParameterStore& parameters() override { return store_; }
  const nn::ParameterStore& parameters() const override { return store_; }
  WeightRules weight_rules() const override;
  ImageShape image_shape() const override { return structure_.image; }
  Problem problem() const override { return structure_.classification.problem; }
  const std::vector<std::string>& labels() const override { return structure_.classification.labels; }
  Tensor hidden(const ImageBatch& batch, const nn::Pass& pass) const override;
  Tensor pooled(const Tensor& hidden) const override;
  Tensor logits(const ImageBatch& batch, const nn::Pass& pass) const override;
  HeadLoss loss(const ImageBatch& batch, const Targets& targets, const LossOptions& options) const override;

 private:
  Tensor embed(const Tensor& pixels, const ops::TokenRowsPtr& rows, const nn::Pass& pass) const;
  Tensor class_tokens(const Tensor& hidden) const;

  ViTConfig structure_;
  nn::ParameterStore store_;
  Tensor class_token_;  // [1, 1, model]
  Tensor positions_;    // [1, 1 + patches, model]
  ops::Weight patch_weight_;
  Tensor patch_bias_;
  uint32_t embedding_site_ = 0;
  std::vector<ViTLayer> layers_;
  nn::Norm norm_;
  nn::Linear pooler_, classifier_;
};

// See make_model() and new_config().
std::unique_ptr<Model> make_vit(const Json& config, const std::string& file, std::optional<uint64_t> seed);
Json new_vit(const NewModel& wanted);

}  // namespace heed::models
