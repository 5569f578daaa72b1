#include "heed/tasks/text_stream.h"

#include <algorithm>

namespace heed::tasks {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr size_t kContext = 8;  // ids of the prompt that are kept
// A character has at most four bytes, hence takes at most four ids of one byte each: what is no character by then
// never becomes one.
constexpr size_t kLongestCharacter = 4;

// How much of the end of `text` is the beginning of `stop`, but not all of it.
size_t begun(std::string_view text, std::string_view stop) {
  for (size_t n = std::min(text.size(), stop.size() - 1); n > 0; --n)
    if (text.ends_with(stop.substr(0, n))) return n;
  return 0;
}

}  // namespace

TextStream::TextStream(const text::Tokenizer& tokenizer, std::span<const int32_t> context,
                       std::vector<std::string> stop)
    : tokenizer_(tokenizer), stop_(std::move(stop)) {
  const auto kept = context.last(std::min(context.size(), kContext));
  ids_.assign(kept.begin(), kept.end());
  read_ = ids_.size();
}

void TextStream::decode(bool last) {
  const std::span<const int32_t> all = ids_;
  const std::string before = tokenizer_.decode(all.subspan(begin_, read_ - begin_));
  const std::string after = tokenizer_.decode(all.subspan(begin_));
  const bool whole = !after.ends_with(kReplacement) || all.size() - read_ >= kLongestCharacter;
  if (after.size() <= before.size() || !(whole || last)) return;
  text_ += std::string_view(after).substr(before.size());
  begin_ = read_;
  read_ = ids_.size();
}

std::string TextStream::show(bool last) {
  size_t certain = text_.size();
  for (const std::string& stop : stop_) {
    const size_t from = searched_ - std::min(searched_, stop.size() - 1);
    if (const size_t at = text_.find(stop, from); at != std::string::npos) {
      text_.resize(at);
      stopped_ = true;
      certain = std::min(certain, at);
    }
    if (!last && !stopped_) certain = std::min(certain, text_.size() - begun(text_, stop));
  }
  searched_ = text_.size();
  certain = std::max(std::min(certain, text_.size()), shown_);
  std::string piece = text_.substr(shown_, certain - shown_);
  shown_ = certain;
  return piece;
}

std::string TextStream::add(int32_t id) {
  if (stopped_) return {};
  ids_.push_back(id);
  decode(false);
  return show(false);
}

std::string TextStream::finish() {
  if (!stopped_) decode(true);
  return show(true);
}

}  // namespace heed::tasks
