// Bytes of `.model` files for tests: a writer of protobuf's wire format, and small models made with it.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "heed/text/sentencepiece_model.h"

namespace heed::testing {

// Writes the fields of one protobuf message.
class WireWriter {
 public:
  WireWriter& number(uint32_t field, uint64_t value) {
    varint(uint64_t{field} << 3);
    varint(value);
    return *this;
  }
  WireWriter& float32(uint32_t field, float value) {
    varint(uint64_t{field} << 3 | 5);
    const auto word = std::bit_cast<uint32_t>(value);
    for (int i = 0; i < 4; ++i) out_.push_back(static_cast<char>(word >> (8 * i)));
    return *this;
  }
  WireWriter& bytes(uint32_t field, std::string_view value) {
    varint(uint64_t{field} << 3 | 2);
    varint(value.size());
    out_ += value;
    return *this;
  }
  WireWriter& varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_.push_back(static_cast<char>(value | 0x80));
    out_.push_back(static_cast<char>(value));
    return *this;
  }
  const std::string& str() const { return out_; }

 private:
  std::string out_;
};

inline std::string piece_bytes(const text::SentencePieceEntry& piece) {
  return WireWriter().bytes(1, piece.text).float32(2, piece.score).number(3, static_cast<uint64_t>(piece.type)).str();
}

// A whole model file. `spec` holds the pieces, type, flags and normaliser; ids are not written.
inline std::string model_bytes(const text::SentencePieceModel& spec) {
  WireWriter model;
  for (const auto& piece : spec.pieces) model.bytes(1, piece_bytes(piece));
  WireWriter trainer;
  trainer.number(3, static_cast<uint64_t>(spec.type))
      .number(24, spec.treat_whitespace_as_suffix)
      .number(35, spec.byte_fallback)
      .bytes(44, spec.unk_surface);
  const auto normalizer = [](const text::NormalizerSpec& n) {
    return WireWriter()
        .bytes(1, n.name)
        .bytes(2, n.precompiled_charsmap)
        .number(3, n.add_dummy_prefix)
        .number(4, n.remove_extra_whitespaces)
        .number(5, n.escape_whitespaces)
        .str();
  };
  model.bytes(2, trainer.str()).bytes(3, normalizer(spec.normalizer));
  if (spec.denormalizer) model.bytes(5, normalizer(*spec.denormalizer));
  return model.str();
}

// A small model: "</s>", "<unk>", and the given normal pieces with their scores.
inline text::SentencePieceModel small_model(text::SegmentationType type,
                                            const std::vector<text::SentencePieceEntry>& pieces) {
  text::SentencePieceModel model;
  model.type = type;
  model.pieces = {{"</s>", 0, text::PieceType::kControl}, {"<unk>", 0, text::PieceType::kUnknown}};
  model.pieces.insert(model.pieces.end(), pieces.begin(), pieces.end());
  return model;
}

}  // namespace heed::testing
