// Regular expressions of tokenizer.json, which are written for Oniguruma's Ruby syntax, run by PCRE2 with its compiler.
// Where the two differ in what such files use, the expression is translated (\w, \s, \h, scripts, anchors at lines);
// what cannot be is refused. Immutable, hence thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace heed::text {

class Regex {
 public:
  // Throws FormatError, beginning with `where`, if the expression is malformed or not supported.
  Regex(std::string_view expression, const std::string& where);
  ~Regex();
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;

  // The matches in `text` (valid UTF-8) from left to right, [begin, end) in bytes; an empty match is not repeated where
  // the last one ended. Calls on_match(begin, end). Throws DataError where a match takes too many steps.
  template <class OnMatch>
  void for_each_match(std::string_view text, OnMatch&& on_match) const {
    size_t begin = 0, end = 0;
    for (bool first = true; find(text, end, first, begin, end); first = false) on_match(begin, end);
  }

 private:
  // The first match from `at`, where the last one ended, on; unless it is the `first`, an empty one at `at` does not
  // count.
  bool find(std::string_view text, size_t at, bool first, size_t& begin, size_t& end) const;

  struct Code;
  std::unique_ptr<const Code> code_;
};

// The expression in PCRE2's syntax. Throws FormatError.
std::string to_pcre2(std::string_view expression, const std::string& where);

}  // namespace heed::text
