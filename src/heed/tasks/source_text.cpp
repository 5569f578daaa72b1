#include "heed/tasks/source_text.h"

#include <limits>

#include "heed/base/error.h"
#include "heed/text/sentences.h"

namespace heed::tasks {
namespace {

// Where to part a text in two: at the white space nearest to the middle, else between two characters; 0 if it is one
// character.
size_t middle_of(std::string_view text) {
  const size_t middle = text.size() / 2;
  for (size_t away = 0; away <= middle; ++away)
    for (const size_t at : {middle - away, middle + away})
      if (at > 0 && at < text.size() && text[at] == ' ') return at;
  for (size_t at = middle; at > 0; --at)
    if ((static_cast<unsigned char>(text[at]) & 0xC0) != 0x80) return at;
  return 0;
}

}  // namespace

SourceEncoder::SourceEncoder(const text::Tokenizer& tokenizer, SourceLimits limits)
    : tokenizer_(tokenizer), limits_([&] {
        if (limits.max_tokens == 0) limits.max_tokens = std::numeric_limits<size_t>::max();
        return std::move(limits);
      }()) {}

std::vector<int32_t> SourceEncoder::encode(std::string_view text) const {
  return tokenizer_.encode(limits_.prefix.empty() ? text : limits_.prefix + std::string(text));
}

// The last token stays: it says that the source ends.
void SourceEncoder::append_cut(std::vector<int32_t> ids, EncodedSource& result) const {
  ids[limits_.max_tokens - 1] = ids.back();
  ids.resize(limits_.max_tokens);
  result.cut = true;
  result.parts.push_back(std::move(ids));
}

void SourceEncoder::append_halves(std::string_view text, EncodedSource& result) const {
  text = text::trimmed(text);
  if (text.empty()) return;
  std::vector<int32_t> ids = encode(text);
  if (ids.size() <= limits_.max_tokens) {
    result.parts.push_back(std::move(ids));
    return;
  }
  const size_t middle = middle_of(text);
  if (middle == 0) return append_cut(std::move(ids), result);
  append_halves(text.substr(0, middle), result);
  append_halves(text.substr(middle), result);
}

EncodedSource SourceEncoder::operator()(std::string_view text) const {
  EncodedSource result;
  if (text::trimmed(text).empty()) return result;
  std::vector<int32_t> ids = encode(text);
  if (ids.size() <= limits_.max_tokens) {
    result.parts.push_back(std::move(ids));
  } else if (!limits_.split_sentences) {
    append_cut(std::move(ids), result);
  } else {
    for (const std::string_view sentence : text::split_sentences(text)) append_halves(sentence, result);
  }
  return result;
}

}  // namespace heed::tasks
