// The content of a SentencePiece `.model` file as plain data, read by a protobuf reader of our own (libprotobuf must
// not be linked beside Debian's libsentencepiece, which carries its own copy).
//
// The file is untrusted: every length and number is checked, memory stays within a small multiple of the file's size,
// and what does not hold is a FormatError that names the file, the place, what was expected and what came. A model that
// was read is consistent: pieces are not empty and all different, exactly one is of type unknown, scores are finite,
// byte pieces are complete where byte fallback is on.
// Source: sentencepiece_model.proto of google/sentencepiece (field numbers stand in the .cpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace heed::text {

// The numbers are those of the file.
enum class PieceType : uint8_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };
enum class SegmentationType : uint8_t { kUnigram = 1, kBpe = 2, kWord = 3, kCharacter = 4 };

// U+2581, which stands for a space inside pieces.
inline constexpr std::string_view kSpaceSymbol = "\xE2\x96\x81";

struct SentencePieceEntry {
  std::string text;  // valid UTF-8, without NUL, shorter than 8,000 bytes
  float score = 0;   // log probability (unigram) or minus the merge's rank (BPE); finite
  PieceType type = PieceType::kNormal;
};

struct NormalizerSpec {
  std::string name;                  // of the rule, e.g. "nmt_nfkc"
  std::string precompiled_charsmap;  // see PrecompiledCharsMap; empty: characters stay as they are
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
};

struct SentencePieceModel {
  std::string name;  // the file, for messages
  std::string raw;   // its bytes, to be written back unchanged
  std::vector<SentencePieceEntry> pieces;
  SegmentationType type = SegmentationType::kUnigram;
  bool byte_fallback = false;
  bool treat_whitespace_as_suffix = false;
  std::string unk_surface = " \xE2\x81\x87 ";  // what an unknown piece decodes to
  // Ids of the special pieces, found by their text and type; -1: none (never so for unk_id).
  int32_t unk_id = -1, bos_id = -1, eos_id = -1, pad_id = -1;
  NormalizerSpec normalizer;
  std::optional<NormalizerSpec> denormalizer;
};

// Reads a model from the bytes of its file; `name` is what messages call it. Throws FormatError.
SentencePieceModel parse_sentencepiece_model(std::string bytes, const std::string& name);

// Throws IoError, FormatError.
SentencePieceModel read_sentencepiece_model(const std::filesystem::path& file);

// The byte that a piece of type byte ("<0x41>") stands for, or -1 if `piece` is not of that form.
int byte_of_piece(std::string_view piece);

}  // namespace heed::text
