#include "heed/text/marian_tokenizer.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/json.h"
#include "heed/base/log.h"
#include "heed/base/utf8.h"
#include "heed/text/added_tokens.h"
#include "heed/text/marian_config.h"
#include "heed/text/scratch.h"
#include "heed/text/vocabulary.h"
#include "heed/text/word_alignment.h"

namespace heed::text {
namespace fs = std::filesystem;
namespace {

// What an id stands for when ids become text.
struct IdEntry {
  const std::string* text = nullptr;  // nullptr: no token has this id
  bool skipped = false;               // left out with the special tokens
  bool by_name = false;               // written as it stands, not decoded by SentencePiece
};

// transformers' clean_up_tokenization, replacement by replacement.
void clean_up(std::string& text) {
  static constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},     {" ' ", "'"},
      {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : kRules) {
    std::string cleaned;
    size_t begin = 0;
    for (size_t at; (at = text.find(from, begin)) != std::string::npos; begin = at + from.size())
      cleaned.append(text, begin, at - begin).append(to);
    text = std::move(cleaned.append(text, begin));
  }
}

// One language's half of the tokenizer.
struct Side {
  explicit Side(SentencePiece model) : pieces(std::move(model)) {}

  SentencePiece pieces;
  const Vocabulary* vocabulary = nullptr;
  std::vector<int32_t> ids;      // the vocabulary's id of each piece
  std::vector<IdEntry> entries;  // by the vocabulary's id
};

}  // namespace

struct MarianTokenizer::State {
  State(SentencePiece source_pieces, SentencePiece target_pieces)
      : source(std::move(source_pieces)), target(std::move(target_pieces)) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // Sets all that follows from the vocabularies, the models and the config.
  void finish(std::vector<AddedToken> tokens, const SpecialTokens& special, const std::string& name);
  void finish_side(Side& side) const;
  int32_t vocabulary_id(const Side& side, std::string_view token) const;

  template <class Encode>
  std::vector<int32_t> encode(const Side& side, std::string_view text, Encode&& encode_part) const;
  std::string decode(const Side& side, const SentencePiece& pieces, std::span<const int32_t> ids,
                     bool skip_special) const;
  const std::string& token(const Side& side, const SentencePiece& pieces, int32_t id) const;

  Json config;
  bool separate = false;
  bool clean_up_spaces = false;
  Vocabulary source_vocabulary, target_vocabulary;  // the second only if they are separate
  Side source, target;
  AddedTokens added;
  int32_t unk = -1, eos = -1, pad = -1;
};

void MarianTokenizer::State::finish(std::vector<AddedToken> tokens, const SpecialTokens& special,
                                    const std::string& name) {
  check<FormatError>(source_vocabulary.id(special.unk).has_value(),
                     "{}: expected the unknown token \"{}\" among the {} tokens of vocab.json", name, special.unk,
                     source_vocabulary.count());
  std::unordered_map<std::string, size_t> places;
  // Special tokens that are in no vocabulary get the ids behind it, as transformers gives them.
  size_t next = source_vocabulary.count();
  for (size_t i = 0; i < tokens.size(); ++i) {
    check<FormatError>(places.emplace(tokens[i].content, i).second, "{}: the added token \"{}\" appears twice", name,
                       tokens[i].content);
    next += source_vocabulary.id(tokens[i].content) ? 0 : 1;
  }
  for (const std::string& text : special.all()) {
    const auto [place, is_new] = places.emplace(text, tokens.size());
    if (is_new) {
      const std::optional<int32_t> id = source_vocabulary.id(text);
      tokens.push_back({text, id ? *id : static_cast<int32_t>(next++)});
    }
    tokens[place->second].special = true;
  }
  added = AddedTokens(std::move(tokens));
  unk = added.find(special.unk)->id;
  eos = added.find(special.eos)->id;
  pad = added.find(special.pad)->id;
  source.vocabulary = &source_vocabulary;
  target.vocabulary = separate ? &target_vocabulary : &source_vocabulary;
  finish_side(source);
  finish_side(target);
}

int32_t MarianTokenizer::State::vocabulary_id(const Side& side, std::string_view token) const {
  if (const AddedToken* found = added.find(token)) return found->id;
  return side.vocabulary->id(token).value_or(unk);
}

void MarianTokenizer::State::finish_side(Side& side) const {
  side.ids.clear();
  for (int32_t id = 0; id < side.pieces.size(); ++id) side.ids.push_back(vocabulary_id(side, side.pieces.piece(id)));
  int32_t size = side.vocabulary->size();
  for (const AddedToken& token : added.tokens()) size = std::max(size, token.id + 1);
  side.entries.resize(static_cast<size_t>(size));
  for (int32_t id = 0; id < size; ++id) {
    IdEntry& entry = side.entries[static_cast<size_t>(id)];
    const AddedToken* token = added.find(id);
    entry.text = token ? &token->content : side.vocabulary->token(id);
    entry.skipped = token && token->special;
    const AddedToken* named = entry.text ? added.find(*entry.text) : nullptr;
    entry.by_name = named && named->special;
  }
}

template <class Encode>
std::vector<int32_t> MarianTokenizer::State::encode(const Side& side, std::string_view text,
                                                    Encode&& encode_part) const {
  thread_local Encoding encoding;
  std::vector<int32_t> ids;
  const auto on_text = [&](std::string_view part) {
    if (const size_t end = part.starts_with(">>") ? part.find("<<") : std::string_view::npos;
        end != std::string_view::npos) {
      ids.push_back(vocabulary_id(side, part.substr(0, end + 2)));
      part.remove_prefix(end + 2);
    }
    encode_part(part, encoding);
    for (const Encoding::Token& token : encoding.tokens) {
      // An unknown text may be one of the other language's tokens.
      const bool known = token.id != side.pieces.unk_id();
      ids.push_back(known ? side.ids[static_cast<size_t>(token.id)] : vocabulary_id(side, token.text));
    }
  };
  added.split(text, on_text, [&](const AddedToken& token) { ids.push_back(token.id); });
  ids.push_back(eos);
  release_if_large(encoding.normalized);
  release_if_large(encoding.tokens);
  return ids;
}

const std::string& MarianTokenizer::State::token(const Side& side, const SentencePiece& pieces, int32_t id) const {
  const bool inside = id >= 0 && static_cast<size_t>(id) < side.entries.size();
  if (inside && side.entries[static_cast<size_t>(id)].text) return *side.entries[static_cast<size_t>(id)].text;
  // An id without a token falls back to the piece of that number, as in transformers.
  check<UsageError>(id >= 0 && id < pieces.size(),
                    "Marian tokenizer: expected an id of 0 to {} that a token has, got {}", side.entries.size() - 1,
                    id);
  return pieces.piece(id);
}

std::string MarianTokenizer::State::decode(const Side& side, const SentencePiece& pieces, std::span<const int32_t> ids,
                                           bool skip_special) const {
  std::string joined;
  std::vector<std::string_view> run;  // tokens up to the next that is written by name
  const auto flush = [&] {
    joined += pieces.decode_pieces(run);
    run.clear();
  };
  for (const int32_t id : ids) {
    const std::string& text = token(side, pieces, id);
    const IdEntry entry =
        static_cast<size_t>(id) < side.entries.size() ? side.entries[static_cast<size_t>(id)] : IdEntry();
    if (skip_special && entry.skipped) continue;
    if (!entry.by_name) {
      run.push_back(text);
      continue;
    }
    flush();
    joined += text;
    joined += ' ';
  }
  flush();
  std::string text;
  text.reserve(joined.size());
  size_t begin = 0;
  for (size_t at; (at = joined.find(kSpaceSymbol, begin)) != std::string::npos; begin = at + kSpaceSymbol.size())
    text.append(joined, begin, at - begin).push_back(' ');
  text.append(joined, begin);
  text = std::string(strip_white_space(text));
  if (clean_up_spaces) clean_up(text);
  return text;
}

bool MarianTokenizer::is_in(const fs::path& folder) {
  return fs::exists(folder / "source.spm") && fs::exists(folder / "target.spm") && fs::exists(folder / "vocab.json");
}

MarianTokenizer MarianTokenizer::load(const fs::path& folder) {
  const std::string name = folder.string();
  std::string source = read_file(folder / "source.spm"), target = read_file(folder / "target.spm");
  const bool same = source == target;
  const SentencePiece source_pieces = SentencePiece::from_bytes(std::move(source), (folder / "source.spm").string());
  const auto state = std::make_shared<State>(
      source_pieces,
      same ? source_pieces : SentencePiece::from_bytes(std::move(target), (folder / "target.spm").string()));
  const fs::path config_file = folder / "tokenizer_config.json", legacy_file = folder / "special_tokens_map.json";
  if (fs::exists(config_file)) state->config = read_json(config_file);
  else state->config = Json::object();
  const Json& config = state->config;
  check<FormatError>(config.is_object(), "{}: expected an object, got {}", config_file.string(), config.type_name());
  state->separate = read_flag(config, "separate_vocabs", config_file.string());
  state->clean_up_spaces = read_flag(config, "clean_up_tokenization_spaces", config_file.string());
  if (config.contains("sp_model_kwargs") && !config["sp_model_kwargs"].empty())
    log().warn("{}: sp_model_kwargs are not used", config_file.string());
  state->source_vocabulary = Vocabulary::load(folder / "vocab.json");
  if (state->separate) state->target_vocabulary = Vocabulary::load(folder / "target_vocab.json");
  SpecialTokens special;
  special.read(config, config_file.string());
  // Folders written by transformers 4 and older name their special tokens in a file of their own.
  if (!config.contains("added_tokens_decoder") && fs::exists(legacy_file))
    special.read(read_json(legacy_file), legacy_file.string());
  state->finish(read_added_tokens(config, config_file.string()), special, name);
  return MarianTokenizer(state);
}

namespace {

constexpr const char* kNew = "the new tokenizer";

// The ids of the pieces as they are, then placeholders up to `size`.
void fill(Vocabulary& vocabulary, const SentencePiece& pieces, int32_t size) {
  for (int32_t id = 0; id < pieces.size(); ++id) vocabulary.add(pieces.piece(id), id);
  int number = 0;
  for (int32_t id = pieces.size(); id < size; ++id) {
    std::string name;
    do name = fmt::format("<unused{}>", number++);
    while (vocabulary.id(name));
    vocabulary.add(std::move(name), id);
  }
}

int32_t required_id(const SentencePiece& pieces, std::string_view token) {
  const std::optional<int32_t> id = pieces.id(token);
  check<ConfigError>(id.has_value(), "{}: expected a SentencePiece model with \"{}\" for a Marian tokenizer",
                     pieces.model().name, token);
  return *id;
}

}  // namespace

MarianTokenizer MarianTokenizer::create_joint(std::string model, const MarianLanguages& languages) {
  const SpecialTokens special;
  const SentencePiece pieces = SentencePiece::from_bytes(std::move(model), "the joint SentencePiece model");
  const int32_t eos = required_id(pieces, special.eos), unk = required_id(pieces, special.unk);
  const auto state = std::make_shared<State>(pieces, pieces);
  fill(state->source_vocabulary, pieces, pieces.size());
  const int32_t pad = pieces.id(special.pad).value_or(pieces.size());
  if (pad == pieces.size()) state->source_vocabulary.add(special.pad, pad);
  state->config = make_marian_config(false, languages.source, languages.target, eos, unk, pad);
  state->finish(read_added_tokens(state->config, kNew), special, kNew);
  return MarianTokenizer(state);
}

MarianTokenizer MarianTokenizer::create_separate(std::string source_model, std::string target_model,
                                                 const MarianLanguages& languages) {
  const SpecialTokens special;
  const SentencePiece source = SentencePiece::from_bytes(std::move(source_model), "the source SentencePiece model");
  const SentencePiece target = SentencePiece::from_bytes(std::move(target_model), "the target SentencePiece model");
  for (const std::string& token : {special.eos, special.unk})
    check<ConfigError>(required_id(source, token) == required_id(target, token),
                       "Marian tokenizer: expected \"{}\" to have one id in both SentencePiece models, got {} and {}",
                       token, *source.id(token), *target.id(token));
  check<ConfigError>(!source.id(special.pad) && !target.id(special.pad),
                     "Marian tokenizer: expected SentencePiece models without \"{}\", which gets the last id",
                     special.pad);
  const auto state = std::make_shared<State>(source, target);
  state->separate = true;
  const int32_t pad = std::max(source.size(), target.size());
  fill(state->source_vocabulary, source, pad);
  fill(state->target_vocabulary, target, pad);
  state->source_vocabulary.add(special.pad, pad);
  state->target_vocabulary.add(special.pad, pad);
  state->config = make_marian_config(true, languages.source, languages.target, *source.id(special.eos),
                                     *source.id(special.unk), pad);
  state->finish(read_added_tokens(state->config, kNew), special, kNew);
  return MarianTokenizer(state);
}

void MarianTokenizer::save(const fs::path& folder) const {
  std::error_code error;
  fs::create_directories(folder, error);
  check<IoError>(!error, "{}: cannot create: {}", folder.string(), error.message());
  write_file_atomically(folder / "source.spm", state_->source.pieces.bytes());
  write_file_atomically(folder / "target.spm", state_->target.pieces.bytes());
  state_->source_vocabulary.save(folder / "vocab.json");
  if (state_->separate) state_->target_vocabulary.save(folder / "target_vocab.json");
  write_json(folder / "tokenizer_config.json", state_->config);
}

std::vector<int32_t> MarianTokenizer::encode_source(std::string_view text) const {
  return state_->encode(state_->source, text, [&](std::string_view part, Encoding& encoding) {
    state_->source.pieces.encode(part, encoding);
  });
}

std::vector<int32_t> MarianTokenizer::encode_target(std::string_view text) const {
  return state_->encode(state_->target, text, [&](std::string_view part, Encoding& encoding) {
    state_->target.pieces.encode(part, encoding);
  });
}

std::vector<int32_t> MarianTokenizer::sample_source(std::string_view text, const Sampling& sampling,
                                                    Random& random) const {
  return state_->encode(state_->source, text, [&](std::string_view part, Encoding& encoding) {
    state_->source.pieces.sample(part, sampling, random, encoding);
  });
}

std::vector<int32_t> MarianTokenizer::sample_target(std::string_view text, const Sampling& sampling,
                                                    Random& random) const {
  return state_->encode(state_->target, text, [&](std::string_view part, Encoding& encoding) {
    state_->target.pieces.sample(part, sampling, random, encoding);
  });
}

std::string MarianTokenizer::decode_target(std::span<const int32_t> ids, bool skip_special) const {
  // transformers joins the pieces of a joint vocabulary by the source model.
  const Side& joining = state_->separate ? state_->target : state_->source;
  return state_->decode(state_->target, joining.pieces, ids, skip_special);
}

std::string MarianTokenizer::decode_source(std::span<const int32_t> ids, bool skip_special) const {
  return state_->decode(state_->source, state_->source.pieces, ids, skip_special);
}

int32_t MarianTokenizer::source_vocab_size() const { return static_cast<int32_t>(state_->source.entries.size()); }
int32_t MarianTokenizer::target_vocab_size() const { return static_cast<int32_t>(state_->target.entries.size()); }
bool MarianTokenizer::separate_vocabs() const { return state_->separate; }

std::string MarianTokenizer::source_token(int32_t id) const {
  return state_->token(state_->source, state_->source.pieces, id);
}

std::string MarianTokenizer::target_token(int32_t id) const {
  return state_->token(state_->target, state_->target.pieces, id);
}

TokenizedText MarianTokenizer::tokenize(std::string_view text, bool special) const {
  const State& state = *state_;
  TokenizedText out;
  const auto add = [&](int32_t id, CharacterSpan span, int32_t word, int8_t which) {
    out.ids.push_back(id);
    out.types.push_back(0);
    out.characters.push_back(span);
    out.words.push_back(word);
    out.texts.push_back(which);
  };
  Encoding encoding;
  size_t at = 0;  // the bytes of `text` before it hold `characters` code points
  uint32_t characters = 0;
  int32_t words = 0;
  // The code points before `place`, which never goes back.
  const auto position = [&](const char* place) {
    const auto end = static_cast<size_t>(place - text.data());
    while (at < end) at += decode_utf8(text.substr(at)).length, ++characters;
    return characters;
  };
  const auto on_token = [&](std::string_view named, int32_t id) {
    const uint32_t begin = position(named.data());
    add(id, {begin, position(named.data() + named.size())}, words++, 0);
  };
  const auto on_text = [&](std::string_view part) {
    if (const size_t end = part.starts_with(">>") ? part.find("<<") : std::string_view::npos;
        end != std::string_view::npos) {
      on_token(part.substr(0, end + 2), state.vocabulary_id(state.source, part.substr(0, end + 2)));
      part.remove_prefix(end + 2);
    }
    state.source.pieces.encode(part, encoding);
    const uint32_t begin = position(part.data());
    const WordAlignment alignment(part, encoding.normalized);
    for (const Encoding::Token& token : encoding.tokens) {
      const bool known = token.id != state.source.pieces.unk_id();
      const WordAlignment::Place place = alignment.find(token.text);
      add(known ? state.source.ids[static_cast<size_t>(token.id)] : state.vocabulary_id(state.source, token.text),
          {begin + place.begin, begin + place.end}, words + place.word, 0);
    }
    words += alignment.words();
  };
  const auto on_added = [&](const AddedToken& token, std::string_view named) { on_token(named, token.id); };
  state.added.split_with_text(text, on_text, on_added);
  if (special) add(state.eos, {}, -1, -1);
  return out;
}

TokenizedText MarianTokenizer::tokenize_pair(std::string_view, std::string_view, bool) const {
  fail<UsageError>("a Marian tokenizer takes one text at a time, not pairs");
}

TokenizedText MarianTokenizer::tokenize_words(std::span<const std::string>, bool) const {
  fail<UsageError>("a Marian tokenizer takes running text, not single words");
}

int32_t MarianTokenizer::id(std::string_view token) const {
  if (const AddedToken* found = state_->added.find(token)) return found->id;
  return state_->target.vocabulary->id(token).value_or(-1);
}

int32_t MarianTokenizer::eos_id() const { return state_->eos; }
int32_t MarianTokenizer::pad_id() const { return state_->pad; }
int32_t MarianTokenizer::unk_id() const { return state_->unk; }

}  // namespace heed::text
