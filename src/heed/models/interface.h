// What training, decoding and tasks see of a model, whatever its family.
//
// Texts and images are packed: rows of different lengths lie one behind the other, and every layer works on
// [tokens, model] without padding. const members are thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "heed/base/json.h"
#include "heed/base/ragged.h"
#include "heed/models/weights.h"
#include "heed/nn/layers.h"
#include "heed/nn/parameters.h"
#include "heed/ops/ops.h"

namespace heed::models {

// --- decoding
// -------------------------------------------------------------------------------------------------

// One decoding in flight: rows of hypotheses with their key-value caches. Not thread-safe; a model may have many.
class DecodingState {
 public:
  virtual ~DecodingState() = default;
  virtual int rows() const = 0;
  // Tokens that every row has been fed so far by step().
  virtual int64_t length() const = 0;
  virtual Device device() const = 0;  // where the model computes
  // Feeds one token to each row; the logits of the next one, f32 [rows, vocab], valid until the next call. tokens i32
  // [rows], on the host, or on device() where the host does not know them and they are known to be in the vocabulary.
  virtual Tensor step(const Tensor& tokens) = 0;
  Tensor step(std::span<const int32_t> tokens) {
    return step(Tensor::from(tokens, {static_cast<int64_t>(tokens.size())}));
  }
  // Row i continues what was row parents[i]: reorders, multiplies (beams of one source share its encoding) or drops
  // rows. Nothing is copied but an index table.
  virtual void select(std::span<const int32_t> parents) = 0;
  // The same among the rows of one input: i32 [rows] on device().
  virtual void select(const Tensor& parents) = 0;
  // Forgets all but the first `length` tokens of every row.
  virtual void truncate(int64_t length) = 0;
};

// A model that continues token sequences: a decoder alone, or behind an encoder. const members are thread-safe.
class Generator {
 public:
  virtual ~Generator() = default;
  virtual int vocab_size() const = 0;
  virtual int max_length() const = 0;  // positions that the decoder has
  // Starts one row per input: the encoder's sources, or the prompts of a decoder-only model without their last token.
  virtual std::unique_ptr<DecodingState> start(const Ragged& inputs) const = 0;
  // The token to feed first for each input: the decoder's start token, or the prompt's last one.
  virtual std::vector<int32_t> first_tokens(const Ragged& inputs) const = 0;
};

// --- models
// -------------------------------------------------------------------------------------------------

// What all models have in common. The constructor of a family builds its parameters from a configuration; the registry
// then loads them.
class Model {
 public:
  virtual ~Model() = default;
  virtual nn::ParameterStore& parameters() = 0;
  virtual const nn::ParameterStore& parameters() const = 0;
  // How names in folders may differ from those of parameters().
  virtual WeightRules weight_rules() const = 0;
  // config.json and generation_config.json as they are written beside the weights, keys that mean nothing here
  // included.
  const Json& config() const { return config_; }
  void set_config(Json config) { config_ = std::move(config); }
  const std::optional<Json>& generation_config() const { return generation_config_; }
  void set_generation_config(std::optional<Json> config) { generation_config_ = std::move(config); }

 protected:
  explicit Model(Json config = {}) : config_(std::move(config)) {}
  Json config_;
  std::optional<Json> generation_config_;
};

struct LossOptions {
  float label_smoothing = 0;
  double divisor = 1;  // of the summed loss, usually the number of targets
  nn::Pass pass;
};

// A batch for teacher forcing, packed: row i of each belongs to pair i.
struct Seq2SeqBatch {
  Ragged source, target;           // both with their end-of-sequence token
  std::vector<uint32_t> examples;  // names the pairs for dropout; empty: 0, 1, 2, …
};

// An encoder-decoder.
class Seq2SeqModel : public Model, public Generator {
 public:
  static constexpr const char* kKind = "a sequence-to-sequence model";
  // The loss of predicting each target token from the source and the target tokens before it.
  virtual ops::CrossEntropyResult loss(const Seq2SeqBatch& batch, const LossOptions& options) const = 0;
  // Its logits: f32 [target tokens, vocab].
  virtual Tensor logits(const Seq2SeqBatch& batch, const nn::Pass& pass) const = 0;
  virtual int eos_id() const = 0;
  virtual int pad_id() const = 0;

 protected:
  using Model::Model;
};

// Token ids, packed.
struct TextBatch {
  Ragged ids;
  std::vector<int32_t> types;      // token type of each token; empty: all 0
  std::vector<int32_t> visible;    // how many tokens of each row attention sees; the rest asks, but nobody sees it
                                   // (trailing padding whose outputs count, as in question answering); empty: all
  std::vector<uint32_t> examples;  // names the rows for dropout; empty: 0, 1, 2, …
};

// A decoder alone: each token is predicted from those before it.
class CausalModel : public Model, public Generator {
 public:
  static constexpr const char* kKind = "a causal language model";
  // `targets`: what is to be predicted behind each token, i32 [tokens], -100: no loss (see next_tokens()).
  virtual ops::CrossEntropyResult loss(const TextBatch& batch, std::span<const int32_t> targets,
                                       const LossOptions& options) const = 0;
  // f32 [tokens, vocab]: of what comes behind each token.
  virtual Tensor logits(const TextBatch& batch, const nn::Pass& pass) const = 0;

 protected:
  using Model::Model;
};

// For each token the one behind it in its row, -100 behind the last.
std::vector<int32_t> next_tokens(const Ragged& ids);

// What stands on top of an encoder.
enum class Head : uint8_t { kNone, kMaskedLM, kSequenceClassification, kTokenClassification, kQuestionAnswering };

// What a head shall give; which fields count depends on it.
struct Targets {
  // Masked LM and token classification: [tokens]; classification of one label: [rows]. -100: no loss.
  std::vector<int32_t> classes;
  std::vector<float> weights;  // of each of them in the loss; empty: 1
  // Classification of one label, besides `classes`: how much each label counts in the loss of the logits divided by
  // the temperature, f32 [rows, labels] (Hinton et al. 2015, section 2; the loss is multiplied by its square).
  Tensor shares;
  float temperature = 1;
  // Several labels (each in [0, 1]) and regression: f32 [rows, labels].
  Tensor values;
  // Question answering: [rows], first and last token of the answer; a place outside its row gives no loss.
  std::vector<int32_t> begins, ends;
};

// A head's loss: `loss` is what training minimises.
struct HeadLoss {
  Tensor loss;              // sum over targets / divisor, one element
  ops::DeviceSum loss_sum;  // before the division
  int64_t targets = 0;      // that gave a loss
};

// What a classifier's logits mean.
enum class Problem : uint8_t { kSingleLabel, kMultiLabel, kRegression };

// An encoder alone, with or without a head.
class EncoderModel : public Model {
 public:
  static constexpr const char* kKind = "an encoder";
  virtual Head head() const = 0;
  virtual Problem problem() const = 0;                         // of a classification head
  virtual const std::vector<std::string>& labels() const = 0;  // of a classification head, by class
  virtual int max_length() const = 0;                          // tokens that a row may have
  virtual int vocab_size() const = 0;
  // The last hidden states: [tokens, model].
  virtual Tensor hidden(const TextBatch& batch, const nn::Pass& pass) const = 0;
  // One vector per row [rows, model] from those: what the family pools by; undefined if it has no pooler.
  virtual Tensor pooled(const Tensor& hidden, const TextBatch& batch) const = 0;
  // The head's logits: masked LM [tokens, vocab]; sequence classification [rows, labels]; token classification
  // [tokens, labels]; question answering [tokens, 2] (begin, end). UsageError without a head.
  virtual Tensor logits(const TextBatch& batch, const nn::Pass& pass) const = 0;
  virtual HeadLoss loss(const TextBatch& batch, const Targets& targets, const LossOptions& options) const = 0;

 protected:
  using Model::Model;
};

// Images, preprocessed.
struct ImageBatch {
  Tensor pixels;                   // f32 [images, channels, height, width]
  std::vector<uint32_t> examples;  // names the images for dropout; empty: 0, 1, 2, …

  ImageBatch() = default;
  ImageBatch(Tensor values, std::vector<uint32_t> names = {}) : pixels(std::move(values)), examples(std::move(names)) {}
};

struct ImageShape {
  int channels = 0, height = 0, width = 0;
};

// A vision Transformer. Each image is a row of tokens, the first of which stands for the whole. Images of another shape
// than image_shape() are a ShapeError.
class ImageModel : public Model {
 public:
  static constexpr const char* kKind = "an image model";
  virtual ImageShape image_shape() const = 0;
  virtual Problem problem() const = 0;                                             // of the classification head
  virtual const std::vector<std::string>& labels() const = 0;                      // by class; empty: there is no head
  virtual Tensor hidden(const ImageBatch& batch, const nn::Pass& pass) const = 0;  // [images * tokens, model]
  // One vector per image [images, model] from those; undefined if the model has no pooler.
  virtual Tensor pooled(const Tensor& hidden) const = 0;
  // [images, labels]. UsageError without a head.
  virtual Tensor logits(const ImageBatch& batch, const nn::Pass& pass) const = 0;
  // `classes` or `values` of the targets, a row per image.
  virtual HeadLoss loss(const ImageBatch& batch, const Targets& targets, const LossOptions& options) const = 0;

 protected:
  using Model::Model;
};

}  // namespace heed::models
