// Tagging of words and the entities that follow, with a trained model for token classification.
#pragma once

#include "heed/tasks/encoder_texts.h"

namespace heed::tasks {

// How a word of several tokens gets its tag: from its first one, from the mean of their probabilities, or from the one
// that is surest. kToken: every token is a word.
enum class Aggregation : uint8_t { kFirst, kAverage, kMax, kToken };

struct TaggedWord {
  std::string tag;
  float score = 0;
  text::CharacterSpan characters;
};

struct TaggedEntity {
  std::string type;
  float score = 0;  // mean of its words'
  text::CharacterSpan characters;
  uint32_t first_word = 0, last_word = 0;
};

struct TaggedText {
  std::vector<TaggedWord> words;
  std::vector<TaggedEntity> entities;
};

// Of each token the probability of each label; empty for what the tokenizer added.
using TagProbabilities = std::vector<std::vector<float>>;

struct Tagger : EncoderTexts {
  static Tagger load(const std::filesystem::path& folder, const models::LoadOptions& options = models::for_inference());

  // Of each text. One that is longer than `most` tokens is cut into windows that share half of their tokens; each token
  // is judged where it has the most text around it.
  std::vector<TagProbabilities> probabilities(const std::vector<const text::TokenizedText*>& texts, size_t most,
                                              size_t batch_size) const;
  // Texts as tokenize() or tokenize_words() gave them, read through windows as long as the model's where they are too
  // long. With words that came apart, `characters` are within their word.
  std::vector<TaggedText> tag(const std::vector<text::TokenizedText>& texts, Aggregation aggregation,
                              size_t batch_size) const;
};

}  // namespace heed::tasks
