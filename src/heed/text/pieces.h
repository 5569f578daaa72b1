// The pieces of a SentencePiece model as its segmenters need them: found by their text through one trie, with their
// types. Immutable, hence thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "heed/text/sentencepiece_model.h"
#include "heed/text/trie.h"

namespace heed::text {

class Pieces {
 public:
  // Keeps a reference to `model`, which must outlive it.
  explicit Pieces(const SentencePieceModel& model);

  const SentencePieceModel& model() const { return *model_; }
  const SentencePieceEntry& operator[](int32_t id) const { return model_->pieces[static_cast<size_t>(id)]; }
  size_t size() const { return model_->pieces.size(); }

  // All pieces by their text; the values are ids.
  const Trie& trie() const { return trie_; }

  // The user-defined symbols alone.
  const std::shared_ptr<const Trie>& symbols() const { return symbols_; }

  // Whether text may become this piece: special pieces and bytes never come from a match of their names.
  bool matches_text(int32_t id) const {
    const PieceType type = (*this)[id].type;
    return type == PieceType::kNormal || type == PieceType::kUserDefined || type == PieceType::kUnused;
  }

  // The id of the piece that spells `text`, or unk_id.
  int32_t id_of_text(std::string_view text) const { return id_at(trie_.walk(Trie::kRoot, text)); }

  // The same for the text that leads to `node` of the trie (which may be kNone).
  int32_t id_at(uint32_t node) const {
    const int32_t id = node == Trie::kNone ? -1 : trie_.value(node);
    return id >= 0 && matches_text(id) ? id : model_->unk_id;
  }

 private:
  const SentencePieceModel* model_;
  Trie trie_;
  std::shared_ptr<const Trie> symbols_;
};

// The length in bytes of the character at the head of `text` (not empty), by its first byte alone.
inline uint32_t character_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const uint32_t length = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  return length < text.size() ? length : static_cast<uint32_t>(text.size());
}

}  // namespace heed::text
