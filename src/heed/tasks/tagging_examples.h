// Tagged words as a tagger is trained and judged on them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "heed/data/conll.h"
#include "heed/text/tokenizer.h"

namespace heed::tasks {

// What a tagger sees beside the sentence of a word.
enum class TagContext : uint8_t { kSentence, kDocument };

// Column files or, by the name's ending, JSON lines; tags that mark entities as BIO. At most `most` sentences; 0: all.
data::TaggedText read_tagged(const std::filesystem::path& file, uint64_t most);

// A sentence, or the sentences of a document, with their tokens.
struct TaggingExample {
  size_t first_sentence = 0, sentences = 0;  // of the text
  // Between sentences stands the token that ends a text, if the tokenizer adds one; it counts as the text's own, so
  // that it stays where it is when the text is cut.
  text::TokenizedText tokens;
  std::vector<int32_t> classes;  // of each token: what is to be learned, -100: nothing
  std::vector<int32_t> firsts;   // of each word, sentence after sentence: its first token; -1: it has none
  size_t begin = 0, end = 0;     // of the tokens between those that the tokenizer puts around a text
};

// The tags that occur, "O" first, the others by type.
std::vector<std::string> tags_in(const data::TaggedText& text);

// A tag that is none of `labels` gives no loss; DataError naming the place if not even its type is known to them.
// DataError too if the tokenizer leaves nothing of a sentence.
std::vector<TaggingExample> make_tagging_examples(const data::TaggedText& text, const text::Tokenizer& tokenizer,
                                                  const std::vector<std::string>& labels, TagContext context);

}  // namespace heed::tasks
