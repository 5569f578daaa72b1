#include "heed/text/added_tokens.h"

#include <algorithm>

#include "heed/base/utf8.h"

namespace heed::text {
namespace {

bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

// The length of the white space character that `text` ends with, or 0.
size_t trailing_white_space(std::string_view text) {
  for (size_t length = 1; length <= std::min<size_t>(3, text.size()); ++length) {
    const CodePoint c = decode_utf8(text.substr(text.size() - length));
    if (c.valid && c.length == length) return is_white_space(c.value) ? length : 0;
  }
  return 0;
}

}  // namespace

std::string_view strip_white_space(std::string_view text, bool left, bool right) {
  while (left && !text.empty()) {
    const CodePoint c = decode_utf8(text);
    if (!c.valid || !is_white_space(c.value)) break;
    text.remove_prefix(c.length);
  }
  while (right && !text.empty()) {
    const size_t length = trailing_white_space(text);
    if (length == 0) break;
    text.remove_suffix(length);
  }
  return text;
}

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::vector<Trie::Entry> entries;
  for (size_t i = 0; i < tokens_.size(); ++i) {
    entries.push_back({tokens_[i].content, static_cast<int32_t>(i)});
    by_id_.emplace(tokens_[i].id, i);
  }
  trie_ = Trie(std::move(entries));
}

const AddedToken* AddedTokens::find(int32_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &tokens_[found->second];
}

const AddedToken* AddedTokens::find(std::string_view content) const {
  const int32_t place = trie_.find(content);
  return place < 0 ? nullptr : &tokens_[static_cast<size_t>(place)];
}

AddedTokens::Hit AddedTokens::next(std::string_view text) const {
  for (size_t begin = 0; begin < text.size(); ++begin) {
    if (trie_.step(Trie::kRoot, static_cast<unsigned char>(text[begin])) == Trie::kNone) continue;
    const size_t length = trie_.longest_prefix(text.substr(begin));
    if (length > 0) return {begin, find(text.substr(begin, length))};
  }
  return {text.size(), nullptr};
}

}  // namespace heed::text
