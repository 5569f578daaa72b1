// The normalizers of tokenizer.json, with the texts and alignments of the Hugging Face library `tokenizers`: Append,
// BertNormalizer, ByteLevel, Lowercase, NFC, NFD, NFKC, NFKD, Nmt, Precompiled, Prepend, Replace, Sequence, Strip,
// StripAccents. Immutable, hence thread-safe; linear time.
#pragma once

#include <memory>

#include "heed/text/aligned_text.h"
#include "heed/text/json_part.h"

namespace heed::text::pipeline {

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void apply(AlignedText& text) const = 0;
};

// Throws FormatError that names the part.
std::unique_ptr<Normalizer> make_normalizer(const JsonPart& part, int depth = 0);

// Sequences of sequences may be this deep.
inline constexpr int kMaxNesting = 16;

// The pieces of make_normalizer that are in unicode_normalizers.cpp.
enum class UnicodeForm { kNfc, kNfd, kNfkc, kNfkd };
void normalize_unicode(AlignedText& text, UnicodeForm form);
std::unique_ptr<Normalizer> make_precompiled(const JsonPart& part);

bool is_ascii(std::string_view text);

// As `tokenizers` maps the 256 bytes to characters that are all visible.
char32_t byte_level_character(unsigned char byte);
// The byte of such a character, or -1.
int byte_of_character(char32_t c);

}  // namespace heed::text::pipeline
