// What training, decoding and tasks see of a model, whatever its family.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "heed/base/json.h"
#include "heed/base/ragged.h"
#include "heed/tensor/tensor.h"

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

}  // namespace heed::models
