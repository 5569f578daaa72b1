#include "heed/text/normalizer.h"

#include "heed/base/utf8.h"

namespace heed::text {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

}  // namespace

Normalizer::Normalizer(const NormalizerSpec& spec, bool treat_whitespace_as_suffix, std::shared_ptr<const Trie> symbols,
                       const std::string& name)
    : map_(spec.precompiled_charsmap, name),
      symbols_(symbols && !symbols->empty() ? std::move(symbols) : nullptr),
      add_dummy_prefix_(spec.add_dummy_prefix),
      remove_extra_whitespaces_(spec.remove_extra_whitespaces),
      whitespace_as_suffix_(treat_whitespace_as_suffix),
      space_(spec.escape_whitespaces ? kSpaceSymbol : std::string_view(" ")) {
  for (unsigned char c = 0; c < 0x80; ++c) {
    const bool begins_symbol = symbols_ && symbols_->step(Trie::kRoot, c) != Trie::kNone;
    plain_[c] = !begins_symbol && !map_.has_ascii_rule(c);
  }
}

Normalizer::Step Normalizer::next(std::string_view text) const {
  if (symbols_) {
    const size_t length = symbols_->longest_prefix(text);
    if (length > 0) return {text.substr(0, length), length};
  }
  const PrecompiledCharsMap::Match match = map_.longest_match(text);
  if (match.length > 0) return {match.replacement, match.length};
  const CodePoint c = decode_utf8(text);
  if (!c.valid) return {kReplacement, 1};
  return {text.substr(0, c.length), c.length};
}

void Normalizer::append(std::string_view characters, std::string& out) const {
  for (size_t space; (space = characters.find(' ')) != std::string_view::npos; characters.remove_prefix(space + 1)) {
    out += characters.substr(0, space);
    out += space_;
  }
  out += characters;
}

void Normalizer::normalize(std::string_view text, std::string& out) const {
  out.clear();
  if (remove_extra_whitespaces_) {
    while (!text.empty()) {
      const Step step = next(text);
      if (step.becomes != " ") break;
      text.remove_prefix(step.length);
    }
  }
  if (text.empty()) return;
  if (add_dummy_prefix_ && !whitespace_as_suffix_) out += space_;
  bool after_space = remove_extra_whitespaces_;
  const size_t size = text.size();
  for (size_t i = 0; i < size;) {
    const char c = text[i];
    if (is_ascii(c) && plain_[static_cast<unsigned char>(c)] && (i + 1 == size || is_ascii(text[i + 1]))) {
      ++i;
      if (c != ' ') out.push_back(c);
      else if (!after_space) out += space_;
      after_space = c == ' ' && remove_extra_whitespaces_;
      continue;
    }
    Step step = next(text.substr(i));
    i += step.length;
    while (after_space && step.becomes.starts_with(' ')) step.becomes.remove_prefix(1);
    // What vanishes leaves the state of the character before it.
    if (step.becomes.empty()) continue;
    append(step.becomes, out);
    after_space = step.becomes.ends_with(' ') && remove_extra_whitespaces_;
  }
  if (remove_extra_whitespaces_)
    while (out.ends_with(space_)) out.resize(out.size() - space_.size());
  if (add_dummy_prefix_ && whitespace_as_suffix_) out += space_;
}

std::string Normalizer::normalize(std::string_view text) const {
  std::string out;
  normalize(text, out);
  return out;
}

}  // namespace heed::text
