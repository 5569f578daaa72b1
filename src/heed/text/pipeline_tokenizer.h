// A tokenizer as tokenizer.json describes it: added tokens, normalizer, pre-tokenizer, model, post-processor, decoder,
// each made of its part of the document and executed with the ids, offsets and texts of the Hugging Face library
// `tokenizers`; and what tokenizer_config.json says on top, as transformers applies it.
//
// Immutable, hence thread-safe; a cheap handle would be a shared_ptr. Text may be any bytes: malformed UTF-8 counts as
// U+FFFD. Time is linear in the text (n log n for BPE without pre-tokenizer).
//
// Tokenizers that come from other files are made of a document too, by from_json().
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "heed/base/json.h"
#include "heed/text/added_vocabulary.h"
#include "heed/text/decoders.h"
#include "heed/text/post_processors.h"
#include "heed/text/pre_tokenizers.h"
#include "heed/text/tokenizer.h"

namespace heed::text {

// How a text that is too long is cut.
struct Truncation {
  enum class Strategy { kLongestFirst, kOnlyFirst, kOnlySecond };
  size_t max_length = 512;  // of the whole, special tokens included
  size_t stride = 0;        // how many tokens one part shares with the next
  Strategy strategy = Strategy::kLongestFirst;
  bool from_left = false;  // cut off at the left side
};

// How texts of a batch become equally long.
struct Padding {
  size_t length = 0;  // 0: as long as the longest
  size_t multiple_of = 0;
  bool at_left = false;
  int32_t id = 0, type = 0;
};

class PipelineTokenizer : public Tokenizer {
 public:
  // Reads a folder's tokenizer.json and, if it is there, tokenizer_config.json. Throws IoError, FormatError.
  static std::shared_ptr<const PipelineTokenizer> load(const std::filesystem::path& folder);

  // From a document with the keys of tokenizer.json, and one with those of tokenizer_config.json (or null). `name` is
  // what messages call the document. Throws FormatError.
  static std::shared_ptr<const PipelineTokenizer> from_json(Json document, Json config, const std::string& name);

  ~PipelineTokenizer() override;

  // Writes tokenizer.json and tokenizer_config.json: what was read, with all its keys. Throws IoError.
  void save(const std::filesystem::path& folder) const;
  // The document of save(), which from_json() takes.
  Json to_json() const;

  std::vector<int32_t> encode(std::string_view text) const override;
  TokenizedText tokenize(std::string_view text, bool special = true) const override;
  TokenizedText tokenize_pair(std::string_view first, std::string_view second, bool special = true) const override;
  TokenizedText tokenize_words(std::span<const std::string> text, bool special = true) const override;

  // The text, or the pair, in as many parts as it takes for none to be longer than truncation.max_length; the first is
  // what transformers calls the truncated text, the others the overflowing tokens. Throws UsageError where the
  // truncation cannot be kept.
  std::vector<TokenizedText> tokenize_parts(std::string_view text, const std::optional<std::string_view>& second,
                                            const Truncation& truncation, bool special = true) const;

  // Ids that no token has are passed over, as transformers passes them over. Throws UsageError for negative ones.
  std::string decode(std::span<const int32_t> ids, bool skip_special = true) const override;

  int32_t vocab_size() const override;
  // An id that no token has, within the vocabulary, is the empty text.
  std::string token(int32_t id) const override;
  int32_t id(std::string_view token) const override;

  int32_t bos_id() const override;
  int32_t eos_id() const override;
  int32_t pad_id() const override;
  int32_t unk_id() const override;
  int32_t cls_id() const override;
  int32_t sep_id() const override;
  int32_t mask_id() const override;

  const std::vector<pipeline::AddedToken>& added_tokens() const;

  // What the files ask for, to be honoured by whoever makes batches.
  const std::optional<Truncation>& truncation() const;
  const std::optional<Padding>& padding() const;
  // model_max_length; 0: not limited.
  size_t max_length() const;

 private:
  struct State;
  explicit PipelineTokenizer(std::unique_ptr<const State> state);
  std::unique_ptr<const State> state_;
};

// Pads each text as `padding` says; the padding's `texts` and `words` are -1.
void pad(std::span<TokenizedText> texts, const Padding& padding);

}  // namespace heed::text
