// What a new model is asked for, whatever its family. A family turns it into its own config.json (new_config() of the
// registry), with the keys that transformers knows, so that the file is all there is to a model's structure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "heed/base/json.h"
#include "heed/models/interface.h"

namespace heed::models {

// The tokens that configurations name; -1: the tokenizer has none.
struct SpecialIds {
  int32_t pad = -1, bos = -1, eos = -1;
};

struct NewModel {
  // What stands on top of an encoder, or of an image model (kNone, kSequenceClassification).
  Head head = Head::kNone;
  std::vector<std::string> labels;  // of a head that has classes
  Problem problem = Problem::kSingleLabel;

  int layers = 4;  // of an encoder-decoder: of each
  int d_model = 256;
  std::optional<int> heads;      // d_model / 64, at least 1, if not given
  std::optional<int> kv_heads;   // as many as heads
  std::optional<int> ffn;        // 4 d_model
  std::optional<int> positions;  // tokens that a text may have: 512
  std::optional<float> dropout;  // 0.1
  int vocab = 0;
  SpecialIds ids;

  ImageShape image;  // of image models
  int patch = 4;     // side of the patches that images are cut into

  // The values that hold.
  int head_count() const { return heads.value_or(std::max(1, d_model / 64)); }
  int ffn_width() const { return ffn.value_or(4 * d_model); }
  int position_count() const { return positions.value_or(512); }
  // As JSON shall show it: 0.1, not 0.10000000149.
  double dropout_rate(float otherwise = 0.1f) const;
  // The deviation of an encoder's new weights: BERT's 0.02 for a width of 768, in proportion to 1 / sqrt(width), so
  // that products have the same size in narrow models.
  double deviation() const;
};

// Throws UsageError, in terms of the program's options, if the sizes do not fit each other.
void check_sizes(const NewModel& wanted);

// Writes the labels and what the logits mean: id2label, label2id, problem_type.
void write_classes(Json& config, const std::vector<std::string>& labels, Problem problem);

// Writes those of the three ids that there are, null for others: pad_token_id, bos_token_id, eos_token_id.
void write_ids(Json& config, const SpecialIds& ids);

}  // namespace heed::models
