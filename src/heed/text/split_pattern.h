// The patterns by which tokenizer.json splits and replaces: a string, or a regular expression. The expressions of GPT-2
// and of the tokenizers after cl100k, which nearly all byte-level tokenizers use, are scanned by hand.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "heed/text/json_part.h"

namespace heed::text::pipeline {

// Bytes of a text, [begin, end), and whether the pattern matches there.
struct Match {
  uint32_t begin, end;
  bool matches;
};

class Pattern {
 public:
  virtual ~Pattern() = default;

  // Replaces `out` by the matches and what lies between them, which together cover `text` (valid UTF-8).
  virtual void find(std::string_view text, std::vector<Match>& out) const = 0;
};

// From {"String": …} or {"Regex": …}. Throws FormatError.
std::unique_ptr<Pattern> make_pattern(const JsonPart& part);
std::unique_ptr<Pattern> make_string_pattern(std::string text);
// The pattern of a regular expression, scanned by hand if it is one of the well-known.
std::unique_ptr<Pattern> make_regex_pattern(const std::string& expression, const std::string& where);
// The expression of GPT-2's tokenizer.
const Pattern& gpt2_pattern();

// What becomes of the matches when a text is split by them.
enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

SplitBehavior read_split_behavior(const JsonPart& part);

// Turns matches into the parts to keep: those with `matches` unset (of kRemoved the matches are dropped).
void merge_matches(std::vector<Match>& matches, SplitBehavior behavior);

}  // namespace heed::text::pipeline
