// Text for masked language models: examples cut out of it, masked anew in each epoch, and the score of a model on them.
//
// The masks of an example are a pure function of seed, epoch and example. Immutable, hence thread-safe.
#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "heed/data/masking.h"
#include "heed/data/text_examples.h"
#include "heed/data/token_text.h"
#include "heed/models/interface.h"

namespace heed::tasks {

struct MaskedTextOptions {
  bool packed = false;      // documents one behind the other, not each for itself
  uint32_t max_length = 0;  // tokens of an example, those that the tokenizer puts around a text included
  double probability = 0.15;
  bool whole_words = false;
  std::filesystem::path cache;  // see data::TokenTextOptions
  std::string fingerprint;      // of the tokenizer, for the cache
  uint64_t seed = 1;
};

class MaskedText {
 public:
  // Reads and encodes the text. Throws what that throws, ConfigError if the tokenizer has no mask token.
  MaskedText(const data::TextSource& text, const text::Tokenizer& tokenizer, const MaskedTextOptions& options);

  size_t size() const { return examples_.size(); }
  std::vector<uint32_t> lengths() const;
  const data::TokenStream& stream() const { return stream_; }

  // Puts example i < size() at the end of a batch, as it is masked in this epoch; `targets` are of the batch's tokens.
  void append(uint64_t epoch, uint32_t i, models::TextBatch& batch, std::vector<int32_t>& targets) const;

 private:
  const MaskedTextOptions options_;
  const data::TextFrame frame_;
  const data::Masking masking_;
  const data::TokenStream stream_;
  const data::TextExamples examples_;
};

struct MaskedScore {
  double loss = 0;      // per masked token
  double accuracy = 0;  // share of the masked tokens that are the likeliest
  int64_t tokens = 0;   // masked ones
};

// Of all examples, masked as in epoch 0. Nothing if `stop` (which may be empty) said so meanwhile.
std::optional<MaskedScore> masked_score(const models::EncoderModel& model, const MaskedText& text,
                                        const std::function<bool()>& stop = {});

}  // namespace heed::tasks
