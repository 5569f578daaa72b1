// Text from a model that continues a prompt (a decoder alone) or answers a source (an encoder-decoder).
//
// A GenerationModel is immutable and may serve many threads. What an input gives does not depend on the inputs beside
// it.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "heed/decode/decode.h"
#include "heed/models/interface.h"
#include "heed/models/load_options.h"
#include "heed/text/tokenizer.h"

namespace heed::tasks {

struct GenerationModel {
  std::shared_ptr<const models::Model> model;
  const models::Generator* generator = nullptr;      // the same object
  bool continues_input = false;                      // a decoder alone
  std::shared_ptr<const text::Tokenizer> tokenizer;  // none: the folder has no tokenizer files, and only ids go

  // Reads a Hugging Face folder; `options`: how the model is loaded. Throws what the folder's, the family's and the
  // tokenizer's loaders throw, and ConfigError if the model does not generate.
  static GenerationModel load(const std::filesystem::path& folder,
                              const models::LoadOptions& options = models::for_inference());

  // What the folder asks for, ready for decode_batch. Where it sets no limit of length: 256 new tokens behind a prompt,
  // as many as there are positions behind a source.
  decode::Options defaults() const;
  // The ids of an input text. An empty prompt is the token that a text begins with. UsageError without a tokenizer, or
  // if there is no such token.
  std::vector<int32_t> encode(const std::string& text) const;
  // An empty prompt as above, any other as it is.
  std::vector<int32_t> prompt(std::vector<int32_t> ids) const;
};

struct GenerateOptions {
  decode::Options decode;
  std::vector<std::string> stop;  // an output ends before the first of these; needs a tokenizer, and no beam
};

enum class FinishReason : uint8_t { kEndToken, kLength, kStop };
const char* name_of(FinishReason reason);  // "eos", "length", "stop"

struct Generation {
  std::vector<int32_t> ids;  // the new tokens, all of them
  std::string text;          // theirs, without special tokens and without the stop string; empty without a tokenizer
  FinishReason reason = FinishReason::kLength;
  float score = 0, sum_log_prob = 0;  // see decode::Hypothesis
  std::vector<float> token_log_probs{};
};

// Gets text as it comes: of sample `sample` of input `input`. Not called in beam search, whose outputs are known only
// in the end.
using OnText = std::function<void(int input, int sample, const std::string& piece)>;

// For each input its outputs, as decode::decode_batch orders them.
std::vector<std::vector<Generation>> generate(const GenerationModel& model, const Ragged& inputs,
                                              const GenerateOptions& options, std::span<const uint64_t> examples = {},
                                              const OnText& on_text = {});

}  // namespace heed::tasks
