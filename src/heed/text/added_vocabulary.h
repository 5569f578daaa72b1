// The added tokens of tokenizer.json: found in a text before it is tokenized, those that are not `normalized` in the
// raw text, the others in the normalised one (by their normalised content); leftmost first, the longest of those.
// Immutable once prepared; thread-safe then.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "heed/text/normalizers.h"
#include "heed/text/token_model.h"
#include "heed/text/trie.h"

namespace heed::text::pipeline {

struct AddedToken {
  std::string content;
  int32_t id = -1;
  bool single_word = false;  // is none where a word character stands beside it
  bool lstrip = false;       // takes the white space before it
  bool rstrip = false;       // takes the white space behind it
  bool normalized = false;
  bool special = false;  // left out by decode(skip_special)
};

class AddedVocabulary {
 public:
  // Adds a token, or gives the one with its content its flags. It has the model's id if the model has it, else the next
  // that is free; `token.id` is not looked at, as it is not by `tokenizers`. Empty ones are left out.
  void add(AddedToken token, const Model& model);

  // Makes the flag of a token that is there true.
  void make_special(std::string_view content);

  // To be called after the last add().
  void prepare(const Normalizer* normalizer);

  const std::vector<AddedToken>& tokens() const { return tokens_; }
  // What each of the tokens is written as when ids become text: its content, normalized if it is `normalized`, as by
  // `tokenizers`.
  const std::vector<std::string>& spellings() const { return spellings_; }
  // The token with this id or content, or nullptr.
  const AddedToken* find(int32_t id) const;
  const AddedToken* find(std::string_view content) const;

  // Calls on_text(begin, end) and on_token(token, begin, end) for the parts of `text`, in order. `normalized`: which of
  // the two kinds to look for.
  template <class OnText, class OnToken>
  void split(std::string_view text, bool normalized, OnText&& on_text, OnToken&& on_token) const {
    const Finder& finder = normalized ? normalized_ : raw_;
    size_t done = 0;
    if (!finder.trie.empty()) {
      Spaces spaces;
      size_t begin = 0, end = 0;
      for (size_t at = 0; const AddedToken* token = next(finder, text, at, begin, end); at = end) {
        size_t first = begin, last = end;
        if (!fits(*token, text, done, spaces, first, last)) continue;
        if (done < first) on_text(done, first);
        on_token(*token, first, last);
        done = last;
      }
    }
    if (done < text.size()) on_text(done, text.size());
  }

 private:
  struct Finder {
    Trie trie;  // contents to places in tokens_
    std::array<bool, 256> begins{};
  };
  // The white space looked through last, so that no part of the text is looked through again and again.
  struct Spaces {
    size_t begin = 0, end = 0;
  };

  const AddedToken* next(const Finder& finder, std::string_view text, size_t at, size_t& begin, size_t& end) const;
  // Applies the flags to a find: false if it is none, else the bytes that it takes.
  static bool fits(const AddedToken& token, std::string_view text, size_t done, Spaces& spaces, size_t& begin,
                   size_t& end);
  Finder make_finder(bool normalized) const;

  std::vector<AddedToken> tokens_;
  std::vector<std::string> spellings_;
  std::unordered_map<std::string, size_t> by_content_;
  std::unordered_map<int32_t, size_t> by_id_;
  int32_t highest_ = -1;
  Finder raw_, normalized_;
};

}  // namespace heed::text::pipeline
