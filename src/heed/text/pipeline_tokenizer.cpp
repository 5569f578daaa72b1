#include "heed/text/pipeline_tokenizer.h"

#include <algorithm>
#include <utility>

#include "heed/base/error.h"
#include "heed/base/utf8.h"
#include "heed/text/pipeline_state.h"
#include "heed/text/scratch.h"

namespace heed::text {
using pipeline::AlignedText;
using pipeline::ByteSpan;
using pipeline::Encoding;
using pipeline::Piece;
using pipeline::PieceList;
using pipeline::Token;
namespace {

constexpr size_t kMaxTextBytes = size_t{1} << 29;

// The number of each byte's character, for texts that are not ASCII.
class CharacterNumbers {
 public:
  CharacterNumbers(std::string_view text, bool wanted) : size_(text.size()) {
    if (!wanted || pipeline::is_ascii(text)) return;
    numbers_.resize(text.size());
    uint32_t number = 0;
    for (size_t at = 0; at < text.size(); ++number)
      for (const size_t end = at + utf8_length(text[at]); at < end; ++at) numbers_[at] = number;
  }

  // A span of bytes in characters. One that begins at the end of the text stays as it is, as in `tokenizers`.
  CharacterSpan convert(ByteSpan span) const {
    if (numbers_.empty() || span.begin >= size_) return {span.begin, span.end};
    const uint32_t begin = numbers_[span.begin];
    if (span.end < size_) return {begin, numbers_[span.end]};
    return {begin, numbers_.back() + 1};
  }

 private:
  size_t size_;
  std::vector<uint32_t> numbers_;
};

// White space at the ends of a token's text, byte-level spaces included.
Encoding::Spaces count_spaces(std::string_view text) {
  constexpr char32_t kByteLevelSpace = 0x120;
  const auto is_space = [](char32_t c) { return c == kByteLevelSpace || is_in(c, kSpace); };
  Encoding::Spaces spaces;
  for (size_t at = 0; at < text.size() && is_space(utf8_at(text, at)); at += utf8_length(text[at])) ++spaces.leading;
  for (size_t end = text.size(); end > 0;) {
    end = utf8_before(text, end);
    if (!is_space(utf8_at(text, end))) break;
    ++spaces.trailing;
  }
  return spaces;
}

// The bytes of the original text that a token of `piece` stands for.
ByteSpan origin_of(const PieceList& list, const Piece& piece, const Token& token) {
  if (token.end > piece.end - piece.begin) return {token.begin, token.end};
  if (token.begin == token.end) return {piece.origin_begin + token.begin, piece.origin_begin + token.end};
  const std::vector<ByteSpan>& origins = list.text.origins;
  return {origins[piece.begin + token.begin].begin, origins[piece.begin + token.end - 1].end};
}

}  // namespace

// Kept per thread.
struct PipelineTokenizer::State::Scratch {
  PieceList list;
  AlignedText part;
  std::vector<Token> tokens;
};

// Cuts the text at added tokens and normalizes what is between them.
void PipelineTokenizer::State::split(std::string_view text, bool track, Scratch& scratch) const {
  PieceList& list = scratch.list;
  list.text.assign("", 0, track);
  list.pieces.clear();
  AlignedText& part = scratch.part;
  const auto append_part = [&] {
    list.text.text += part.text;
    list.text.origins.insert(list.text.origins.end(), part.origins.begin(), part.origins.end());
  };
  const auto on_text = [&](size_t begin, size_t end) {
    part.assign(text.substr(begin, end - begin), static_cast<uint32_t>(begin), track);
    if (normalizer) normalizer->apply(part);
    check<DataError>(part.text.size() < kMaxTextBytes * 2, "the tokenizer's normalizer makes a text of {} bytes",
                     part.text.size());
    const size_t base = list.text.text.size();
    const auto add = [&](size_t from, size_t to, int32_t id) {
      const uint32_t origin = track ? part.origins[from].begin : static_cast<uint32_t>(begin + from);
      list.pieces.push_back({static_cast<uint32_t>(base + from), static_cast<uint32_t>(base + to), origin, id});
    };
    added.split(
        part.text, true, [&](size_t from, size_t to) { add(from, to, -1); },
        [&](const pipeline::AddedToken& token, size_t from, size_t to) { add(from, to, token.id); });
    if (base == 0) std::swap(list.text, part);
    else append_part();
  };
  added.split(text, false, on_text, [&](const pipeline::AddedToken& token, size_t begin, size_t end) {
    const auto base = static_cast<uint32_t>(list.text.text.size());
    part.assign(text.substr(begin, end - begin), static_cast<uint32_t>(begin), track);
    append_part();
    list.pieces.push_back({base, static_cast<uint32_t>(list.text.text.size()), static_cast<uint32_t>(begin), token.id});
  });
}

void PipelineTokenizer::State::encode(std::string_view raw, int8_t which, int32_t word, Encoding& out) const {
  std::string valid;
  std::string_view text = raw;
  check<DataError>(raw.size() < kMaxTextBytes, "tokenizer: expected a text of less than {} bytes, got {}",
                   kMaxTextBytes, raw.size());
  if (!is_valid_utf8(raw)) {
    valid = to_valid_utf8(raw);
    text = valid;
  }
  thread_local Scratch scratch;
  split(text, tracks_always || !out.only_ids, scratch);
  PieceList& list = scratch.list;
  if (pre_tokenizer) pre_tokenizer->apply(list);
  const CharacterNumbers numbers(text, !out.only_ids);
  const bool spaces = !out.only_ids && post_processor && post_processor->trims();
  std::vector<Token>& tokens = scratch.tokens;
  for (size_t i = 0; i < list.pieces.size(); ++i) {
    const Piece& piece = list.pieces[i];
    tokens.clear();
    if (piece.added >= 0) tokens.push_back({piece.added, 0, piece.end - piece.begin});
    else model->tokenize(list.view(piece), tokens);
    for (const Token& token : tokens) {
      out.ids.push_back(token.id);
      if (out.only_ids) continue;
      out.types.push_back(which);
      out.characters.push_back(numbers.convert(origin_of(list, piece, token)));
      out.words.push_back(word >= 0 ? word : static_cast<int32_t>(i));
      out.texts.push_back(which);
      if (!spaces) continue;
      const std::string* spelled = piece.added >= 0 ? nullptr : model->token(token.id);
      out.spaces.push_back(count_spaces(spelled ? std::string_view(*spelled) : list.view(piece)));
    }
  }
  release_if_large(list.text.text);
  release_if_large(list.text.origins);
  release_if_large(list.pieces);
  release_if_large(scratch.part.text);
  release_if_large(scratch.part.origins);
  release_if_large(tokens);
}

TokenizedText PipelineTokenizer::State::finish(std::vector<Encoding> parts, bool special) const {
  if (post_processor) post_processor->apply(parts, special);
  if (parts.empty()) return {};
  for (size_t i = 1; i < parts.size(); ++i) parts[0].append(parts[i]);
  return std::move(static_cast<TokenizedText&>(parts[0]));
}

int32_t PipelineTokenizer::State::id(std::string_view token) const {
  if (const pipeline::AddedToken* found = added.find(token)) return found->id;
  return model->vocabulary().id(token).value_or(-1);
}

PipelineTokenizer::PipelineTokenizer(std::unique_ptr<const State> state) : state_(std::move(state)) {}
PipelineTokenizer::~PipelineTokenizer() = default;

std::vector<int32_t> PipelineTokenizer::encode(std::string_view text) const {
  std::vector<Encoding> parts(1);
  parts[0].only_ids = true;
  state_->encode(text, 0, -1, parts[0]);
  return state_->finish(std::move(parts), true).ids;
}

TokenizedText PipelineTokenizer::tokenize(std::string_view text, bool special) const {
  std::vector<Encoding> parts(1);
  state_->encode(text, 0, -1, parts[0]);
  return state_->finish(std::move(parts), special);
}

TokenizedText PipelineTokenizer::tokenize_pair(std::string_view first, std::string_view second, bool special) const {
  std::vector<Encoding> parts(2);
  state_->encode(first, 0, -1, parts[0]);
  state_->encode(second, 1, -1, parts[1]);
  return state_->finish(std::move(parts), special);
}

TokenizedText PipelineTokenizer::tokenize_words(std::span<const std::string> text, bool special) const {
  std::vector<Encoding> parts(1);
  for (size_t i = 0; i < text.size(); ++i) state_->encode(text[i], 0, static_cast<int32_t>(i), parts[0]);
  return state_->finish(std::move(parts), special);
}

std::string PipelineTokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  std::vector<std::string> tokens;
  for (const int32_t id : ids) {
    check<UsageError>(id >= 0, "tokenizer: expected ids of at least 0, got {}", id);
    if (static_cast<size_t>(id) >= state_->names_.size()) continue;
    const State::Name& name = state_->names_[static_cast<size_t>(id)];
    if (name.text && !(skip_special && name.special)) tokens.push_back(*name.text);
  }
  std::string text;
  if (state_->decoder) state_->decoder->apply(tokens);
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0 && !state_->decoder) text += ' ';
    text += tokens[i];
  }
  if (state_->clean_up) pipeline::clean_up_spaces(text, false);
  return text;
}

int32_t PipelineTokenizer::vocab_size() const { return static_cast<int32_t>(state_->names_.size()); }

std::string PipelineTokenizer::token(int32_t id) const {
  check<UsageError>(id >= 0 && id < vocab_size(), "tokenizer: expected an id of 0 to {}, got {}", vocab_size() - 1, id);
  const std::string* text = state_->names_[static_cast<size_t>(id)].text;
  return text ? *text : std::string();
}

int32_t PipelineTokenizer::id(std::string_view token) const { return state_->id(token); }
int32_t PipelineTokenizer::bos_id() const { return state_->specials[State::kBos]; }
int32_t PipelineTokenizer::eos_id() const { return state_->specials[State::kEos]; }
int32_t PipelineTokenizer::pad_id() const { return state_->specials[State::kPad]; }
int32_t PipelineTokenizer::unk_id() const { return state_->specials[State::kUnk]; }
int32_t PipelineTokenizer::cls_id() const { return state_->specials[State::kCls]; }
int32_t PipelineTokenizer::sep_id() const { return state_->specials[State::kSep]; }
int32_t PipelineTokenizer::mask_id() const { return state_->specials[State::kMask]; }

const std::vector<pipeline::AddedToken>& PipelineTokenizer::added_tokens() const { return state_->added.tokens(); }
const std::optional<Truncation>& PipelineTokenizer::truncation() const { return state_->truncation; }
const std::optional<Padding>& PipelineTokenizer::padding() const { return state_->padding; }
size_t PipelineTokenizer::max_length() const { return state_->max_length; }

}  // namespace heed::text
