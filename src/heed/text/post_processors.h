// The post-processors of tokenizer.json, which join texts and special tokens to what a model takes: BertProcessing,
// ByteLevel, RobertaProcessing, Sequence, TemplateProcessing. Immutable, hence thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "heed/text/encoding.h"
#include "heed/text/json_part.h"

namespace heed::text::pipeline {

class PostProcessor {
 public:
  virtual ~PostProcessor() = default;
  // Replaces the encodings of one or two texts by those that, joined, are the result. `special`: whether special tokens
  // are added.
  virtual void apply(std::vector<Encoding>& parts, bool special) const = 0;
  // How many special tokens it adds.
  virtual size_t added(bool pair) const = 0;
  // Whether it needs Encoding::spaces.
  virtual bool trims() const { return false; }
  // Whether it takes one or two texts, not what another has made of them.
  virtual bool takes_texts() const { return false; }
};

// Throws FormatError that names the part.
std::unique_ptr<PostProcessor> make_post_processor(const JsonPart& part, int depth = 0);

// TemplateProcessing's JSON for a text with bos before it and eos behind it (each, if its id is not -1, named as
// given), which transformers makes of add_bos_token and add_eos_token.
Json make_bos_eos_template(const std::string& bos, int32_t bos_id, const std::string& eos, int32_t eos_id);

}  // namespace heed::text::pipeline
