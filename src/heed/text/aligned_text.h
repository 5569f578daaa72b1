// A text on its way through normalisation that remembers where each of its bytes comes from, as the `NormalizedString`
// of the Hugging Face library `tokenizers` does, alignment for alignment. Texts are valid UTF-8; places are bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "heed/base/utf8.h"
#include "heed/text/character_class.h"

namespace heed::text::pipeline {

// Bytes of the original text: [begin, end).
struct ByteSpan {
  uint32_t begin = 0, end = 0;
  bool operator==(const ByteSpan&) const = default;
};

struct AlignedText {
  std::string text;
  std::vector<ByteSpan> origins;  // of each byte of `text`; empty if !tracked
  bool tracked = false;
  uint32_t origin_begin = 0;  // where the original's part begins that this is made of

  // Becomes `original`, which begins at `begin` of the whole text.
  void assign(std::string_view original, uint32_t begin, bool track);
};

// Rewrites a text from left to right. Each character written says what it does with the old text: `change` 0: it stands
// for the next old character; -n: and for the n that follow too; > 0: it is new, and has the origin of the character
// before the place reached.
class Rewriter {
 public:
  explicit Rewriter(AlignedText& text) : text_(text) { out_.reserve(text.text.size() + text.text.size() / 8 + 16); }

  void write(char32_t c, int64_t change) {
    const size_t before = out_.size();
    if (c < 0x80) out_.push_back(static_cast<char>(c));
    else append_utf8(out_, c);
    align(out_.size() - before, change > 0);
    if (change <= 0) skip(static_cast<size_t>(1 - change));
  }

  // Writes the next `bytes` old bytes, which are whole characters, as they are.
  void keep(size_t bytes) {
    out_.append(text_.text, at_, bytes);
    if (text_.tracked)
      origins_.insert(origins_.end(), text_.origins.begin() + static_cast<std::ptrdiff_t>(at_),
                      text_.origins.begin() + static_cast<std::ptrdiff_t>(at_ + bytes));
    at_ += bytes;
  }

  // Writes new text.
  void insert(std::string_view text) {
    out_ += text;
    align(text.size(), true);
  }

  // Passes over old characters, or bytes, that nothing stands for.
  void skip(size_t characters) {
    for (; characters > 0 && at_ < text_.text.size(); --characters) at_ += utf8_length(text_.text[at_]);
  }
  void skip_bytes(size_t bytes) { at_ += bytes; }

  // How many old bytes are behind.
  size_t place() const { return at_; }

  void finish() {
    text_.text.swap(out_);
    text_.origins.swap(origins_);
  }

 private:
  void align(size_t bytes, bool is_new) {
    if (!text_.tracked) return;
    ByteSpan origin{text_.origin_begin, text_.origin_begin};
    const size_t size = text_.origins.size();
    if (!is_new && at_ < size) origin = text_.origins[at_];
    else if (at_ > 0 && size > 0) origin = text_.origins[(at_ < size ? at_ : size) - 1];
    origins_.insert(origins_.end(), bytes, origin);
  }

  AlignedText& text_;
  std::string out_;
  std::vector<ByteSpan> origins_;
  size_t at_ = 0;
};

// One part of the text, which no token will cross: the bytes [begin, end) of the PieceList's text.
struct Piece {
  uint32_t begin, end;
  uint32_t origin_begin;  // where its part of the original begins
  int32_t added = -1;     // the id of the added token that it is; -1: it is to be tokenized
  bool operator==(const Piece&) const = default;
};

struct PieceList {
  AlignedText text;
  std::vector<Piece> pieces;  // none is empty

  std::string_view view(const Piece& piece) const {
    return std::string_view(text.text).substr(piece.begin, piece.end - piece.begin);
  }
  // Where the original's part begins that the text from `begin` on stands for.
  uint32_t origin_of(uint32_t begin) const { return text.tracked ? text.origins[begin].begin : begin; }
};

}  // namespace heed::text::pipeline
