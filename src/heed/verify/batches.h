// Batches as goldens hold them, padded under the names of transformers ("input_ids", "attention_mask", "labels", …),
// and as models take them, packed.
#pragma once

#include <string>
#include <vector>

#include "heed/io/safetensors.h"
#include "heed/models/interface.h"

namespace heed::verify {

// A batch for whichever kind of model: the fields that it does not take are empty.
struct Batch {
  Ragged ids;                  // the source, where there is a target
  std::vector<int32_t> types;  // as TextBatch
  std::vector<int32_t> real;   // tokens of each row that are no padding
  bool keep_padding = false;   // whether `ids` holds padding too
  Ragged target;               // sequence to sequence
  std::vector<int32_t> next;   // causal: the target behind each token, -100 for none
  models::Targets targets;     // of heads
  Tensor pixels;

  models::TextBatch text() const { return {ids, types, keep_padding ? real : std::vector<int32_t>{}, {}}; }
  models::Seq2SeqBatch pairs() const { return {ids, target, {}}; }
  // Numbers of each row that can be compared: all, but for padding that `ids` holds.
  std::vector<int32_t> counted() const { return keep_padding ? real : std::vector<int32_t>{}; }
};

// Rows of ids [rows, time] without what a mask (same shape) says is padding, on whichever side that stands; all of it
// without a mask.
Ragged unpadded(const TensorView& ids, const TensorView& mask);

// The batch under `prefix` ("in.") for this model. Throws FormatError if what the model needs is not there.
Batch read_batch(const io::SafeTensors& file, const std::string& prefix, const models::Model& model);

// The model's loss on the batch as transformers takes it: the mean over what gives a loss.
Tensor loss_of(const models::Model& model, const Batch& batch, const nn::Pass& pass);
// Its logits, as packed as the model gives them.
Tensor logits_of(const models::Model& model, const Batch& batch, const nn::Pass& pass);

}  // namespace heed::verify
