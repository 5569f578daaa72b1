#include "heed/text/word_alignment.h"

#include <algorithm>
#include <utility>

#include "heed/base/utf8.h"
#include "heed/text/added_tokens.h"
#include "heed/text/pieces.h"

namespace heed::text {
namespace {

uint32_t count_characters(std::string_view text) {
  uint32_t count = 0;
  for (; !text.empty(); ++count) text.remove_prefix(decode_utf8(text).length);
  return count;
}

}  // namespace

WordAlignment::WordAlignment(std::string_view original, std::string_view normalized) : normalized_(normalized) {
  for (size_t begin = 0; begin < normalized.size();) {
    const size_t end = std::min(normalized.find(kSpaceSymbol, begin), normalized.size());
    if (end > begin) words_.push_back({normalized.substr(begin, end - begin), 0, 0, false});
    begin = end + kSpaceSymbol.size();
  }
  size_t word = 0;
  for (size_t at = 0; at < original.size();) {
    const uint32_t begin = length_;
    size_t end = at;
    while (end < original.size()) {
      const CodePoint c = decode_utf8(original.substr(end));
      if (strip_white_space(original.substr(end, c.length)).empty()) break;
      end += c.length;
      ++length_;
    }
    if (end > at && word < words_.size()) {
      words_[word].begin = begin;
      words_[word].end = length_;
      words_[word].same = words_[word].text == original.substr(at, end - at);
    }
    word += end > at ? 1 : 0;
    at = end;
    if (at < original.size()) at += decode_utf8(original.substr(at)).length, ++length_;
  }
  if (word != words_.size())
    for (Word& w : words_) w.begin = 0, w.end = length_, w.same = false;
}

WordAlignment::Place WordAlignment::find(std::string_view part) const {
  const char* const end = part.data() + part.size();
  if (words_.empty() || part.data() < normalized_.data() || end > normalized_.data() + normalized_.size())
    return {0, length_, 0};
  // The last word that begins before the part's end; the next one if the part is nothing but a space.
  auto found = std::lower_bound(words_.begin(), words_.end(), end,
                                [](const Word& word, const char* place) { return word.text.data() < place; });
  if (found != words_.begin() && std::prev(found)->text.data() + std::prev(found)->text.size() > part.data())
    found = std::prev(found);
  if (found == words_.end()) found = std::prev(found);
  const auto number = static_cast<int32_t>(found - words_.begin());
  const std::string_view word = found->text;
  if (!found->same) return {found->begin, found->end, number};
  const auto inside = [&](const char* place) {
    const size_t bytes = static_cast<size_t>(std::clamp(place, word.data(), word.data() + word.size()) - word.data());
    return found->begin + count_characters(word.substr(0, bytes));
  };
  // A part that spans words begins in the first of them.
  return {inside(part.data()), inside(end), number};
}

}  // namespace heed::text
