#include "heed/text/added_vocabulary.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "heed/text/character_class.h"

namespace heed::text::pipeline {

void AddedVocabulary::add(AddedToken token, const Model& model) {
  if (token.content.empty()) return;
  check<FormatError>(token.content.size() <= kMaxTokenBytes, "expected added tokens of at most {} bytes, got {}",
                     kMaxTokenBytes, token.content.size());
  if (const auto found = by_content_.find(token.content); found != by_content_.end()) {
    token.id = tokens_[found->second].id;
    tokens_[found->second] = std::move(token);
    return;
  }
  const auto of_model = model.vocabulary().id(token.content);
  const auto count = static_cast<int32_t>(model.count());
  token.id = of_model ? *of_model : highest_ >= count || count == 0 ? highest_ + 1 : count;
  highest_ = std::max(highest_, token.id);
  by_content_.emplace(token.content, tokens_.size());
  by_id_[token.id] = tokens_.size();
  tokens_.push_back(std::move(token));
}

void AddedVocabulary::make_special(std::string_view content) {
  const auto found = by_content_.find(std::string(content));
  if (found != by_content_.end()) tokens_[found->second].special = true;
}

AddedVocabulary::Finder AddedVocabulary::make_finder(bool normalized) const {
  Finder finder;
  std::vector<Trie::Entry> entries;
  std::unordered_set<std::string_view> seen;
  // Special ones first: of two with the same normalised content, the first is found.
  for (const bool special : {true, false}) {
    for (size_t i = 0; i < tokens_.size(); ++i) {
      const std::string& text = spellings_[i];
      if (tokens_[i].special != special || tokens_[i].normalized != normalized) continue;
      if (text.empty() || !seen.insert(text).second) continue;
      entries.push_back({text, static_cast<int32_t>(i)});
      finder.begins[static_cast<unsigned char>(text[0])] = true;
    }
  }
  finder.trie = Trie(std::move(entries));
  return finder;
}

void AddedVocabulary::prepare(const Normalizer* normalizer) {
  spellings_.clear();
  for (const AddedToken& token : tokens_) {
    AlignedText text;
    text.assign(token.content, 0, false);
    if (token.normalized && normalizer) {
      text.text = to_valid_utf8(token.content);
      normalizer->apply(text);
      // The search for it takes as many steps at each place.
      check<FormatError>(text.text.size() <= 16 * kMaxTokenBytes, "the added token \"{}\" is {} bytes when normalized",
                         token.content, text.text.size());
    }
    spellings_.push_back(std::move(text.text));
  }
  raw_ = make_finder(false);
  normalized_ = make_finder(true);
}

const AddedToken* AddedVocabulary::find(int32_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &tokens_[found->second];
}

const AddedToken* AddedVocabulary::find(std::string_view content) const {
  const auto found = by_content_.find(std::string(content));
  return found == by_content_.end() ? nullptr : &tokens_[found->second];
}

const AddedToken* AddedVocabulary::next(const Finder& finder, std::string_view text, size_t at, size_t& begin,
                                        size_t& end) const {
  for (; at < text.size(); ++at) {
    if (!finder.begins[static_cast<unsigned char>(text[at])]) continue;
    const size_t length = finder.trie.longest_prefix(text.substr(at));
    if (length == 0) continue;
    begin = at;
    end = at + length;
    return &tokens_[static_cast<size_t>(finder.trie.find(text.substr(at, length)))];
  }
  return nullptr;
}

bool AddedVocabulary::fits(const AddedToken& token, std::string_view text, size_t done, Spaces& spaces, size_t& begin,
                           size_t& end) {
  if (token.single_word) {
    if (begin > 0 && is_in(utf8_at(text, utf8_before(text, begin)), kWord)) return false;
    if (end < text.size() && is_in(utf8_at(text, end), kWord)) return false;
  }
  if (token.lstrip) {
    // What the token before has taken is not looked at.
    while (begin > done) {
      const size_t before = utf8_before(text, begin);
      if (!is_in(utf8_at(text, before), kSpace)) break;
      begin = before;
    }
    begin = std::max(begin, done);
  }
  if (token.rstrip) {
    if (end < spaces.begin || end > spaces.end) {
      spaces = {end, end};
      while (spaces.end < text.size() && is_in(utf8_at(text, spaces.end), kSpace))
        spaces.end += utf8_length(text[spaces.end]);
    }
    end = spaces.end;
  }
  return true;
}

}  // namespace heed::text::pipeline
