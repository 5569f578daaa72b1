// Tokens beside a tokenizer's vocabulary, in transformers' sense: they are found in the raw text before anything else
// (leftmost first, longest among those), become one id each, and the text between them is tokenized piece by piece.
// Immutable once filled; thread-safe then.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "heed/text/trie.h"

namespace heed::text {

// Without the white space (as Python's str.strip() has it, all of Unicode's) at its ends.
std::string_view strip_white_space(std::string_view text, bool left = true, bool right = true);

struct AddedToken {
  std::string content;
  int32_t id = -1;
  bool special = false;  // left out by decode(skip_special)
  bool lstrip = false;   // white space before it belongs to it
  bool rstrip = false;   // white space behind it belongs to it
};

class AddedTokens {
 public:
  AddedTokens() = default;
  // Contents are not empty and all different; so should ids be (else the first token with an id stands for it).
  explicit AddedTokens(std::vector<AddedToken> tokens);

  const std::vector<AddedToken>& tokens() const { return tokens_; }

  // The token with this id or content, or nullptr.
  const AddedToken* find(int32_t id) const;
  const AddedToken* find(std::string_view content) const;

  // Cuts `text` and calls on_text(part) or on_token(token) for each part in order; parts are not empty.
  template <class OnText, class OnToken>
  void split(std::string_view text, OnText&& on_text, OnToken&& on_token) const {
    split_with_text(text, on_text, [&](const AddedToken& token, std::string_view) { on_token(token); });
  }

  // The same with on_token(token, where it stands in `text`).
  template <class OnText, class OnToken>
  void split_with_text(std::string_view text, OnText&& on_text, OnToken&& on_token) const {
    bool strip_left = false;  // the token before takes the white space that follows it
    while (!text.empty()) {
      const Hit hit = next(text);
      std::string_view before = text.substr(0, hit.begin);
      before = strip_white_space(before, strip_left, hit.token && hit.token->lstrip);
      if (!before.empty()) on_text(before);
      if (!hit.token) return;
      on_token(*hit.token, text.substr(hit.begin, hit.token->content.size()));
      strip_left = hit.token->rstrip;
      text.remove_prefix(hit.begin + hit.token->content.size());
    }
  }

 private:
  struct Hit {
    size_t begin;
    const AddedToken* token;  // nullptr: none in the text, begin is its length
  };
  Hit next(std::string_view text) const;

  std::vector<AddedToken> tokens_;
  Trie trie_;                                  // contents to places in tokens_
  std::unordered_map<int32_t, size_t> by_id_;  // ids to places in tokens_
};

}  // namespace heed::text
