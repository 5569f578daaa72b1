#include "heed/text/sentencepiece_model.h"

#include <array>
#include <cmath>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/utf8.h"
#include "heed/text/wire_reader.h"

namespace heed::text {
namespace {

constexpr size_t kMaxPieces = size_t{1} << 22;
constexpr size_t kMaxPieceBytes = 8000;  // sentencepiece refuses longer ones too; keeps encoding linear

// What trainer_spec calls the special pieces; their ids follow from these texts, not from the spec's own ids.
struct SpecialPieces {
  std::string bos = "<s>", eos = "</s>", pad = "<pad>";
};

SentencePieceEntry read_piece(WireReader reader, size_t index, const std::string& name) {
  SentencePieceEntry piece;
  while (reader.next()) {
    switch (reader.field()) {
      case 1: piece.text = reader.bytes(); break;
      case 2: piece.score = reader.float32(); break;
      case 3: {
        const int32_t type = reader.int32();
        check<FormatError>(type >= 1 && type <= 6, "{}: piece {}: expected a type of 1 to 6, got {}", name, index,
                           type);
        piece.type = static_cast<PieceType>(type);
        break;
      }
      default: reader.skip();
    }
  }
  check<FormatError>(!piece.text.empty(), "{}: piece {} is empty", name, index);
  check<FormatError>(piece.text.size() < kMaxPieceBytes, "{}: piece {}: expected fewer than {} bytes, got {}", name,
                     index, kMaxPieceBytes, piece.text.size());
  check<FormatError>(piece.text.find('\0') == std::string::npos, "{}: piece {} holds a NUL character", name, index);
  check<FormatError>(is_valid_utf8(piece.text), "{}: piece {} is not valid UTF-8", name, index);
  check<FormatError>(std::isfinite(piece.score), "{}: piece {}: expected a finite score, got {}", name, index,
                     piece.score);
  return piece;
}

void read_trainer_spec(WireReader reader, SentencePieceModel& model, SpecialPieces& special) {
  const auto text = [&](std::string& to) {
    const std::string_view value = reader.bytes();
    if (!value.empty()) to = value;
  };
  while (reader.next()) {
    switch (reader.field()) {
      case 3: {
        const int32_t type = reader.int32();
        check<FormatError>(type >= 1 && type <= 4,
                           "{}: expected a model type of 1 (unigram), 2 (BPE), 3 (word) or 4 (character), got {}",
                           model.name, type);
        model.type = static_cast<SegmentationType>(type);
        break;
      }
      case 24: model.treat_whitespace_as_suffix = reader.boolean(); break;
      case 35: model.byte_fallback = reader.boolean(); break;
      case 44: model.unk_surface = reader.bytes(); break;
      case 46: text(special.bos); break;
      case 47: text(special.eos); break;
      case 48: text(special.pad); break;
      default: reader.skip();
    }
  }
  check<FormatError>(is_valid_utf8(model.unk_surface), "{}: the unknown piece's surface is not valid UTF-8",
                     model.name);
}

void read_normalizer_spec(WireReader reader, NormalizerSpec& spec) {
  while (reader.next()) {
    switch (reader.field()) {
      case 1: spec.name = reader.bytes(); break;
      case 2: spec.precompiled_charsmap = reader.bytes(); break;
      case 3: spec.add_dummy_prefix = reader.boolean(); break;
      case 4: spec.remove_extra_whitespaces = reader.boolean(); break;
      case 5: spec.escape_whitespaces = reader.boolean(); break;
      default: reader.skip();
    }
  }
}

void check_bytes(const SentencePieceModel& model) {
  std::array<bool, 256> found{};
  for (const SentencePieceEntry& piece : model.pieces) {
    if (piece.type != PieceType::kByte) continue;
    check<FormatError>(model.byte_fallback, "{}: the byte piece \"{}\" is there although byte fallback is off",
                       model.name, piece.text);
    const int byte = byte_of_piece(piece.text);
    check<FormatError>(byte >= 0, "{}: expected a byte piece of the form <0x41>, got \"{}\"", model.name, piece.text);
    found[static_cast<size_t>(byte)] = true;
  }
  if (!model.byte_fallback) return;
  for (size_t byte = 0; byte < 256; ++byte)
    check<FormatError>(found[byte], "{}: byte fallback is on, but the piece <0x{:02X}> is missing", model.name, byte);
}

// Checks what holds between pieces and sets the ids of the special ones.
void finish(SentencePieceModel& model, const SpecialPieces& special) {
  std::unordered_map<std::string_view, int32_t> ids;
  ids.reserve(model.pieces.size());
  bool any_normal = false;
  for (size_t i = 0; i < model.pieces.size(); ++i) {
    const SentencePieceEntry& piece = model.pieces[i];
    const auto [place, is_new] = ids.emplace(piece.text, static_cast<int32_t>(i));
    check<FormatError>(is_new, "{}: the pieces {} and {} are both \"{}\"", model.name, place->second, i, piece.text);
    any_normal = any_normal || piece.type == PieceType::kNormal;
    if (piece.type != PieceType::kUnknown) continue;
    check<FormatError>(model.unk_id < 0, "{}: expected one piece of type unknown, got {} and {}", model.name,
                       model.unk_id, i);
    model.unk_id = static_cast<int32_t>(i);
  }
  check<FormatError>(model.unk_id >= 0, "{}: expected one piece of type unknown among {}, got none", model.name,
                     model.pieces.size());
  check<FormatError>(any_normal || model.type != SegmentationType::kUnigram,
                     "{}: expected a unigram model to have normal pieces, got none", model.name);
  check_bytes(model);
  const auto control = [&](const std::string& text) {
    const auto found = ids.find(text);
    const bool is_control =
        found != ids.end() && model.pieces[static_cast<size_t>(found->second)].type == PieceType::kControl;
    return is_control ? found->second : -1;
  };
  model.bos_id = control(special.bos);
  model.eos_id = control(special.eos);
  model.pad_id = control(special.pad);
}

}  // namespace

SentencePieceModel parse_sentencepiece_model(std::string bytes, const std::string& name) {
  SentencePieceModel model;
  model.name = name;
  model.raw = std::move(bytes);
  SpecialPieces special;
  bool has_trainer_spec = false, has_normalizer_spec = false;
  WireReader reader(model.raw, 0, model.name);
  while (reader.next()) {
    switch (reader.field()) {
      case 1:
        check<FormatError>(model.pieces.size() < kMaxPieces, "{}: expected at most {} pieces, got more", name,
                           kMaxPieces);
        model.pieces.push_back(read_piece(reader.message(), model.pieces.size(), name));
        break;
      case 2:
        read_trainer_spec(reader.message(), model, special);
        has_trainer_spec = true;
        break;
      case 3:
        read_normalizer_spec(reader.message(), model.normalizer);
        has_normalizer_spec = true;
        break;
      case 5:
        if (!model.denormalizer) model.denormalizer.emplace();
        read_normalizer_spec(reader.message(), *model.denormalizer);
        break;
      default: reader.skip();
    }
  }
  // Both stand behind the pieces in every file, so their absence is how a file cut between two fields shows.
  check<FormatError>(
      has_trainer_spec && has_normalizer_spec,
      "{}: expected a SentencePiece model with a trainer spec and a normalizer spec, found {} pieces and "
      "{}; is the file cut short?",
      name, model.pieces.size(), has_trainer_spec ? "a trainer spec alone" : "no trainer spec");
  finish(model, special);
  return model;
}

SentencePieceModel read_sentencepiece_model(const std::filesystem::path& file) {
  return parse_sentencepiece_model(read_file(file), file.string());
}

int byte_of_piece(std::string_view piece) {
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
  if (piece.size() != 6 || piece.substr(0, 3) != "<0x" || piece[5] != '>') return -1;
  const int high = digit(piece[3]), low = digit(piece[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

}  // namespace heed::text
