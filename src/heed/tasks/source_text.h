// Source texts as an encoder takes them: with the task's prefix, and no longer than it may be.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "heed/text/tokenizer.h"

namespace heed::tasks {

struct SourceLimits {
  std::string prefix = {};       // stands before every text, as "translate English to German: "
  size_t max_tokens = 0;         // of a source with its special tokens; 0: no limit
  bool split_sentences = false;  // a text beyond it is split into its sentences; else it is cut
};

struct EncodedSource {
  std::vector<std::vector<int32_t>> parts;  // none for an empty text; more than one where it was split
  bool cut = false;
};

// Splitting goes by sentences, and where one is still too long, by words, and by characters where a word is. The
// tokenizer must outlive the object. Thread-safe.
class SourceEncoder {
 public:
  SourceEncoder(const text::Tokenizer& tokenizer, SourceLimits limits);
  EncodedSource operator()(std::string_view text) const;

 private:
  std::vector<int32_t> encode(std::string_view text) const;
  void append_halves(std::string_view text, EncodedSource& result) const;
  void append_cut(std::vector<int32_t> ids, EncodedSource& result) const;

  const text::Tokenizer& tokenizer_;
  const SourceLimits limits_;
};

}  // namespace heed::tasks
