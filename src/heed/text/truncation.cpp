// Cutting texts that are too long into parts, and padding, as `tokenizers` does both.
#include <algorithm>
#include <utility>

#include "heed/base/error.h"
#include "heed/text/pipeline_state.h"

namespace heed::text {
using pipeline::Encoding;
namespace {

using Range = std::pair<size_t, size_t>;

// The parts of a text of `length` tokens of which none is longer than `max_length`.
std::vector<Range> cut(size_t length, size_t max_length, const Truncation& truncation) {
  if (max_length >= length) return {{0, length}};
  if (max_length == 0) return {{0, 0}};
  check<UsageError>(truncation.stride < max_length,
                    "truncation: expected a stride below the {} tokens that a part holds, got {}", max_length,
                    truncation.stride);
  const size_t step = max_length - truncation.stride;
  std::vector<Range> parts;
  if (truncation.from_left) {
    for (size_t stop = length;; stop -= step) {
      parts.emplace_back(stop > max_length ? stop - max_length : 0, stop);
      if (stop <= max_length) return parts;
    }
  }
  for (size_t start = 0;; start += step) {
    parts.emplace_back(start, std::min(start + max_length, length));
    if (start + max_length >= length) return parts;
  }
}

// How many tokens of each text are kept in one part.
Range kept_lengths(size_t first, size_t second, bool pair, size_t room, const Truncation& truncation) {
  using Strategy = Truncation::Strategy;
  if (first + second <= room) return {first, second};
  if (truncation.strategy == Strategy::kLongestFirst) {
    if (!pair) return {room, 0};
    size_t shorter = std::min(first, second);
    size_t longer = shorter > room ? shorter : std::max(shorter, room - shorter);
    if (shorter + longer > room) {
      shorter = room / 2;
      longer = shorter + room % 2;
    }
    return first > second ? Range{longer, shorter} : Range{shorter, longer};
  }
  const bool of_first = truncation.strategy == Strategy::kOnlyFirst;
  check<UsageError>(of_first || pair, "truncation: only the second text is to be cut, but there is one");
  const size_t remove = first + second - room, length = of_first ? first : second;
  check<UsageError>(length > remove,
                    "truncation: {} tokens are too many for a length of {}, even without the text to be cut",
                    first + second, truncation.max_length);
  return of_first ? Range{first - remove, second} : Range{first, second - remove};
}

}  // namespace

std::vector<TokenizedText> PipelineTokenizer::tokenize_parts(std::string_view text,
                                                             const std::optional<std::string_view>& second,
                                                             const Truncation& truncation, bool special) const {
  std::vector<Encoding> whole(second ? 2 : 1);
  state_->encode(text, 0, -1, whole[0]);
  if (second) state_->encode(*second, 1, -1, whole[1]);
  const size_t added = special && state_->post_processor ? state_->post_processor->added(second.has_value()) : 0;
  check<UsageError>(truncation.max_length > added, "truncation: expected a length above the {} special tokens, got {}",
                    added, truncation.max_length);
  const size_t second_size = second ? whole[1].ids.size() : 0;
  const Range kept =
      kept_lengths(whole[0].ids.size(), second_size, second.has_value(), truncation.max_length - added, truncation);
  const std::vector<Range> firsts = cut(whole[0].ids.size(), kept.first, truncation);
  const std::vector<Range> seconds = second ? cut(second_size, kept.second, truncation) : std::vector<Range>{{0, 0}};
  std::vector<TokenizedText> parts;
  const auto add = [&](const Range& a, const Range& b) {
    std::vector<Encoding> pieces{whole[0].slice(a.first, a.second)};
    if (second) pieces.push_back(whole[1].slice(b.first, b.second));
    parts.push_back(state_->finish(std::move(pieces), special));
  };
  // The first part, then the first text's others with all of the second's, then the second's others.
  add(firsts[0], seconds[0]);
  for (size_t i = 1; i < firsts.size(); ++i)
    for (const Range& b : seconds) add(firsts[i], b);
  for (size_t j = 1; j < seconds.size(); ++j) add(firsts[0], seconds[j]);
  return parts;
}

void pad(std::span<TokenizedText> texts, const Padding& padding) {
  size_t length = padding.length;
  if (length == 0)
    for (const TokenizedText& text : texts) length = std::max(length, text.ids.size());
  if (padding.multiple_of > 0) length = (length + padding.multiple_of - 1) / padding.multiple_of * padding.multiple_of;
  for (TokenizedText& text : texts) {
    if (text.ids.size() >= length) continue;
    const size_t missing = length - text.ids.size();
    const auto fill = [&](auto& values, auto value) {
      values.insert(padding.at_left ? values.begin() : values.end(), missing, value);
    };
    fill(text.ids, padding.id);
    fill(text.types, padding.type);
    fill(text.characters, CharacterSpan{});
    fill(text.words, int32_t{-1});
    fill(text.texts, int8_t{-1});
  }
}

}  // namespace heed::text
