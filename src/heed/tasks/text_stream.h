// TextStream: text from ids as they come, never ending inside a character, and ended by stop strings.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "heed/text/tokenizer.h"

namespace heed::tasks {

// Belongs to one thread; the tokenizer must outlive it.
class TextStream {
 public:
  // `context`: the ids before the first one (a prompt's), which decide whether the text begins with a space.
  TextStream(const text::Tokenizer& tokenizer, std::span<const int32_t> context, std::vector<std::string> stop = {});

  // Takes one more id and gives the text that is certain now: what may be the beginning of a stop string or of a
  // character that more ids complete is held back.
  std::string add(int32_t id);
  // What was held back. Call once, at the end.
  std::string finish();
  // Whether a stop string has come. The text ends before it.
  bool stopped() const { return stopped_; }
  // All text so far, what is held back included.
  const std::string& text() const { return text_; }

 private:
  void decode(bool last);
  std::string show(bool last);

  const text::Tokenizer& tokenizer_;
  const std::vector<std::string> stop_;
  // Of ids_, [0, begin_) need not be looked at any more and [begin_, read_) have been turned into text: they are the
  // context in which the next ones are decoded.
  std::vector<int32_t> ids_;
  size_t begin_ = 0, read_ = 0;
  std::string text_;
  size_t shown_ = 0, searched_ = 0;  // bytes of text_
  bool stopped_ = false;
};

}  // namespace heed::tasks
