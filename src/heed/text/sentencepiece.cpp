#include "heed/text/sentencepiece.h"

#include <array>

#include "heed/base/error.h"
#include "heed/base/utf8.h"
#include "heed/text/normalizer.h"
#include "heed/text/scratch.h"

namespace heed::text {
namespace {

constexpr size_t kMaxNormalizedBytes = size_t{1} << 30;  // segments count bytes in 32 bits

// Appends the text that the bytes spell: each that belongs to no well-formed character becomes U+FFFD.
void append_bytes(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    const CodePoint c = decode_utf8(bytes);
    append_utf8(out, c.valid ? c.value : kReplacementCharacter);
    bytes.remove_prefix(c.valid ? c.length : 1);
  }
}

// Joins decoded pieces to a text.
class Decoder {
 public:
  explicit Decoder(const SentencePieceModel& model) : model_(model) {}

  void add(std::string_view piece, const SentencePieceEntry& entry) {
    if (entry.type == PieceType::kByte) {
      bytes_.push_back(static_cast<char>(byte_of_piece(entry.text)));
      return;
    }
    flush();
    at_start_ = at_start_ && text_.empty();
    switch (entry.type) {
      case PieceType::kControl: return;
      case PieceType::kUnknown: text_ += piece == entry.text ? std::string_view(model_.unk_surface) : piece; return;
      default: add_text(piece);
    }
  }

  std::string finish() {
    flush();
    return std::move(text_);
  }

 private:
  // The space at the start is the dummy prefix, not the text's own.
  void add_text(std::string_view piece) {
    const NormalizerSpec& spec = model_.normalizer;
    if (at_start_ && (spec.add_dummy_prefix || spec.remove_extra_whitespaces) && piece.starts_with(kSpaceSymbol)) {
      piece.remove_prefix(kSpaceSymbol.size());
      // Where extra spaces are removed anyway, so are those of the pieces that follow.
      if (!spec.remove_extra_whitespaces) at_start_ = false;
    }
    for (size_t at; (at = piece.find(kSpaceSymbol)) != std::string_view::npos;) {
      text_ += piece.substr(0, at);
      text_ += ' ';
      piece.remove_prefix(at + kSpaceSymbol.size());
    }
    text_ += piece;
  }

  void flush() {
    append_bytes(bytes_, text_);
    bytes_.clear();
  }

  const SentencePieceModel& model_;
  std::string text_;
  std::string bytes_;  // of byte pieces not yet in text_
  bool at_start_ = true;
};

}  // namespace

struct SentencePiece::State {
  explicit State(SentencePieceModel m)
      : model(std::move(m)),
        pieces(model),
        normalizer(model.normalizer, model.treat_whitespace_as_suffix, pieces.symbols(), model.name),
        segmenter(make_segmenter(pieces)) {
    if (model.denormalizer && !model.denormalizer->precompiled_charsmap.empty())
      denormalizer.emplace(*model.denormalizer, false, nullptr, model.name);
    if (!model.byte_fallback) return;
    for (size_t id = 0; id < pieces.size(); ++id)
      if (model.pieces[id].type == PieceType::kByte)
        byte_ids[static_cast<size_t>(byte_of_piece(model.pieces[id].text))] = static_cast<int32_t>(id);
  }

  SentencePieceModel model;
  Pieces pieces;
  Normalizer normalizer;
  std::optional<Normalizer> denormalizer;
  std::unique_ptr<Segmenter> segmenter;
  std::array<int32_t, 256> byte_ids{};
};

SentencePiece SentencePiece::load(const std::filesystem::path& file) {
  return SentencePiece(std::make_shared<const State>(read_sentencepiece_model(file)));
}

SentencePiece SentencePiece::from_bytes(std::string bytes, const std::string& name) {
  return SentencePiece(std::make_shared<const State>(parse_sentencepiece_model(std::move(bytes), name)));
}

// Turns segments into tokens: unknown ones into bytes or, joined with their neighbours, into one token.
void SentencePiece::collect(const std::vector<Segment>& segments, Encoding& encoding) const {
  const std::string_view text = encoding.normalized;
  const int32_t unk = unk_id();
  encoding.tokens.clear();
  bool after_unknown = false;
  for (const Segment& segment : segments) {
    const std::string_view surface = text.substr(segment.begin, segment.length);
    if (segment.id == unk && state_->model.byte_fallback) {
      for (const char byte : surface) {
        const int32_t id = state_->byte_ids[static_cast<uint8_t>(byte)];
        encoding.tokens.push_back({id, state_->pieces[id].text});
      }
    } else if (segment.id == unk && after_unknown) {
      std::string_view& joined = encoding.tokens.back().text;
      joined = {joined.data(), joined.size() + surface.size()};
    } else {
      encoding.tokens.push_back({segment.id, surface});
    }
    after_unknown = segment.id == unk;
  }
}

template <class SegmentText>
void SentencePiece::run(std::string_view text, Encoding& encoding, SegmentText&& segment_text) const {
  thread_local std::vector<Segment> segments;
  state_->normalizer.normalize(text, encoding.normalized);
  check<DataError>(encoding.normalized.size() <= kMaxNormalizedBytes,
                   "{}: expected a text of at most {} bytes once normalised, got {}", state_->model.name,
                   kMaxNormalizedBytes, encoding.normalized.size());
  segments.clear();
  segment_text(encoding.normalized, segments);
  collect(segments, encoding);
  release_if_large(segments);
}

void SentencePiece::encode(std::string_view text, Encoding& encoding) const {
  run(text, encoding, [&](std::string_view normalized, std::vector<Segment>& segments) {
    state_->segmenter->segment(normalized, segments);
  });
}

void SentencePiece::sample(std::string_view text, const Sampling& sampling, Random& random, Encoding& encoding) const {
  run(text, encoding, [&](std::string_view normalized, std::vector<Segment>& segments) {
    state_->segmenter->sample(normalized, sampling, random, segments);
  });
}

namespace {

std::vector<int32_t> take_ids(Encoding& encoding) {
  std::vector<int32_t> ids;
  ids.reserve(encoding.tokens.size());
  for (const Encoding::Token& token : encoding.tokens) ids.push_back(token.id);
  release_if_large(encoding.normalized);
  release_if_large(encoding.tokens);
  return ids;
}

thread_local Encoding scratch;

}  // namespace

std::vector<int32_t> SentencePiece::encode(std::string_view text) const {
  encode(text, scratch);
  return take_ids(scratch);
}

std::vector<int32_t> SentencePiece::sample(std::string_view text, double alpha, int nbest_size, Random& random) const {
  sample(text, {alpha, nbest_size}, random, scratch);
  return take_ids(scratch);
}

std::vector<std::string> SentencePiece::encode_as_pieces(std::string_view text) const {
  Encoding encoding;
  encode(text, encoding);
  std::vector<std::string> pieces;
  pieces.reserve(encoding.tokens.size());
  for (const Encoding::Token& token : encoding.tokens) pieces.emplace_back(token.text);
  return pieces;
}

std::string SentencePiece::decode(std::span<const int32_t> ids) const {
  Decoder decoder(state_->model);
  for (const int32_t id : ids) {
    const std::string& text = piece(id);  // checks the id
    decoder.add(text, state_->pieces[id]);
  }
  std::string joined = decoder.finish();
  return state_->denormalizer ? state_->denormalizer->normalize(joined) : joined;
}

std::string SentencePiece::decode_pieces(std::span<const std::string_view> pieces) const {
  Decoder decoder(state_->model);
  for (const std::string_view piece : pieces) decoder.add(piece, state_->pieces[id(piece).value_or(unk_id())]);
  std::string text = decoder.finish();
  return state_->denormalizer ? state_->denormalizer->normalize(text) : text;
}

int32_t SentencePiece::size() const { return static_cast<int32_t>(state_->pieces.size()); }

const std::string& SentencePiece::piece(int32_t id) const {
  check<UsageError>(id >= 0 && id < size(), "{}: expected a piece id of 0 to {}, got {}", state_->model.name,
                    size() - 1, id);
  return state_->pieces[id].text;
}

PieceType SentencePiece::type(int32_t id) const {
  piece(id);
  return state_->pieces[id].type;
}

std::optional<int32_t> SentencePiece::id(std::string_view piece) const {
  const int32_t found = state_->pieces.trie().find(piece);
  return found < 0 ? std::nullopt : std::optional(found);
}

int32_t SentencePiece::unk_id() const { return state_->model.unk_id; }
int32_t SentencePiece::bos_id() const { return state_->model.bos_id; }
int32_t SentencePiece::eos_id() const { return state_->model.eos_id; }
int32_t SentencePiece::pad_id() const { return state_->model.pad_id; }
const SentencePieceModel& SentencePiece::model() const { return state_->model; }

}  // namespace heed::text
