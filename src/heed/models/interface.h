// What training, decoding and tasks see of a model, whatever its family.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "heed/base/json.h"
#include "heed/base/ragged.h"
#include "heed/nn/layers.h"
#include "heed/nn/parameters.h"
#include "heed/ops/ops.h"

namespace heed::models {

// One decoding in flight: rows of hypotheses with their key-value caches. Not thread-safe; a model may have many.
class DecodingState {
 public:
  virtual ~DecodingState() = default;
  virtual int rows() const = 0;
  // Tokens that every row has been fed so far by step().
  virtual int64_t length() const = 0;
  // Feeds one token to each row; the logits of the next one, f32 [rows, vocab], valid until the next call.
  virtual Tensor step(std::span<const int32_t> tokens) = 0;
  // Row i continues what was row parents[i]: reorders, multiplies (beams of one source share its encoding) or drops
  // rows. Nothing is copied but an index table.
  virtual void select(std::span<const int32_t> parents) = 0;
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

// A batch for teacher forcing, packed: row i of each belongs to pair i.
struct Seq2SeqBatch {
  Ragged source, target;           // both with their end-of-sequence token
  std::vector<uint32_t> examples;  // names the pairs for dropout; empty: 0, 1, 2, …
};

struct LossOptions {
  float label_smoothing = 0;
  double divisor = 1;  // of the summed loss, usually the number of target tokens
  nn::Pass pass;
};

// An encoder-decoder as training and scoring see it.
class Seq2SeqModel : public Generator {
 public:
  // The loss of predicting each target token from the source and the target tokens before it.
  virtual ops::CrossEntropyResult loss(const Seq2SeqBatch& batch, const LossOptions& options) const = 0;
  // Its logits: f32 [target tokens, vocab].
  virtual Tensor logits(const Seq2SeqBatch& batch, const nn::Pass& pass) const = 0;

  virtual nn::ParameterStore& parameters() = 0;
  virtual const nn::ParameterStore& parameters() const = 0;
  // config.json and generation_config.json as they are written beside the weights.
  virtual Json config() const = 0;
  virtual Json generation_config() const = 0;
  virtual int eos_id() const = 0;
  virtual int pad_id() const = 0;
};

}  // namespace heed::models
