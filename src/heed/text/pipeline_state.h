// The inside of PipelineTokenizer, filled by tokenizer_json.cpp and executed by pipeline_tokenizer.cpp.
#pragma once

#include "heed/text/pipeline_tokenizer.h"

namespace heed::text {

struct PipelineTokenizer::State {
  // Special tokens that have a name, in the order of kSpecialKeys.
  enum Special { kBos, kEos, kUnk, kSep, kPad, kCls, kMask, kSpecials };
  static constexpr std::array<const char*, kSpecials> kSpecialKeys = {
      "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};

  // What an id stands for when ids become text.
  struct Name {
    const std::string* text = nullptr;  // nullptr: no token has this id
    bool special = false;
  };

  // Makes all parts of `document` and `config`; takes out of the document what the model keeps. `names` may name
  // special tokens that `config` does not.
  void read(const Json& special_names);
  // The encoding of one text, which is the `which`-th; all its tokens are of the word `word`, if that is not -1.
  void encode(std::string_view text, int8_t which, int32_t word, pipeline::Encoding& out) const;
  // Post-processes the encodings of one or two texts.
  TokenizedText finish(std::vector<pipeline::Encoding> parts, bool special) const;
  // The id of a token, or -1.
  int32_t id(std::string_view token) const;

  std::string name;  // of the document, for messages
  Json document, config;
  std::unique_ptr<pipeline::Normalizer> normalizer;
  std::unique_ptr<pipeline::PreTokenizer> pre_tokenizer;
  std::unique_ptr<pipeline::Model> model;
  std::unique_ptr<pipeline::PostProcessor> post_processor;
  std::unique_ptr<pipeline::Decoder> decoder;
  pipeline::AddedVocabulary added;
  std::vector<Name> names_;  // by id
  std::array<int32_t, kSpecials> specials{};
  bool tracks_always = false;  // the pre-tokenizer needs to know where pieces come from
  bool clean_up = false;
  std::optional<Truncation> truncation;
  std::optional<Padding> padding;
  size_t max_length = 0;

 private:
  struct Scratch;
  void split(std::string_view text, bool track, Scratch& scratch) const;
  void read_parts();
  void read_added_tokens();
  void read_special_tokens(const Json& names);
  void add_named(const JsonPart& value);
  void read_limits();
  pipeline::AddedToken read_added_token(const JsonPart& part) const;
};

}  // namespace heed::text
