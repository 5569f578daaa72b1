// Tagged text: sentences of words with a tag each, from column files as CoNLL's shared tasks use them or from JSON
// lines, plain, gzip or zstd; and the schemes in which tags mark entities.
//
// A column file has one word a line; its columns are separated by TAB if the first line with words holds one, else by
// blanks. Lines of nothing but white space end a sentence, lines that begin with -DOCSTART- begin a document, all
// others have as many columns as the first. Text that is not UTF-8 is an error. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace heed::data {

struct TaggedSentence {
  std::vector<std::string> words, tags;  // of one size, never none
  uint64_t line = 0;                     // where it begins, from 1
  bool operator==(const TaggedSentence&) const = default;
};

struct TaggedText {
  std::string file;
  std::vector<TaggedSentence> sentences;  // never none
  std::vector<size_t> documents{};        // the sentences that begin one; none if the file does not say

  // "train.conll:17": the line of a word of a column file; of a sentence of JSON lines.
  std::string where(size_t sentence, size_t word = 0) const;

  bool one_word_a_line = true;
};

struct ConllOptions {
  size_t word_column = 1;  // from 1
  size_t tag_column = 0;   // 0: the last
};

// Throws DataError, with the line, for another number of columns, a word or tag that is empty, malformed text; and for
// a file without a sentence.
TaggedText read_conll(const std::filesystem::path& file, const ConllOptions& options = {});

// Lines of {"tokens": [...], "tags": [...]}. Throws DataError, with the line, for what is no such object, for lists of
// different lengths and for an empty tag; a line with empty lists is left out.
TaggedText read_tagged_jsonl(const std::filesystem::path& file, const std::string& words_key = "tokens",
                             const std::string& tags_key = "tags");

// How tags mark entities (Ramshaw and Marcus 1995; Tjong Kim Sang and Veenstra 1999): "O" outside, else a prefix and a
// type, such as "B-PER".
//   kIob1   I inside; B only where an entity follows one of its type at once
//   kBio    B begins every entity, I goes on (IOB2)
//   kBioes  besides, E ends an entity of several words and S is one of one word
//   kPlain  none of these: tags of words, such as parts of speech
enum class TagScheme : uint8_t { kIob1, kBio, kBioes, kPlain };

// The scheme that the tags of a text use. An entity that begins with I makes it IOB1.
TagScheme detect_tag_scheme(std::span<const TaggedSentence> sentences);

// "IOB1", "BIO", "BIOES", "plain".
std::string name_of(TagScheme scheme);

// The tags of one sentence in kIob1, kBio or kBioes as BIO, marking the same entities. Tags in BIO stay as they are.
std::vector<std::string> to_bio(std::span<const std::string> tags);

// All sentences by to_bio, unless they are in BIO or kPlain; what was found. Throws DataError, with the place, for a
// tag that is no entity's in a text with O and entities.
TagScheme convert_to_bio(TaggedText& text);

}  // namespace heed::data
