#include "heed/text/tokenizer_trainer.h"

#include <algorithm>

#include "heed/base/error.h"
#include "heed/base/utf8.h"
#include "heed/text/normalizers.h"
#include "heed/text/pre_tokenizers.h"
#include "heed/text/unigram_trainer.h"

namespace heed::text {
namespace {

constexpr size_t kLargestVocabulary = size_t{1} << 22;

// Special tokens by kind, with the keys of tokenizer_config.json that name them.
struct Special {
  const char* token;
  std::vector<const char*> keys;
};

std::vector<Special> own_specials(TokenizerKind kind) {
  switch (kind) {
    case TokenizerKind::kByteBpe: return {{"<|endoftext|>", {"bos_token", "eos_token", "unk_token"}}};
    case TokenizerKind::kWordPiece:
      return {{"[PAD]", {"pad_token"}},
              {"[UNK]", {"unk_token"}},
              {"[CLS]", {"cls_token"}},
              {"[SEP]", {"sep_token"}},
              {"[MASK]", {"mask_token"}}};
    case TokenizerKind::kUnigram: return {{"<pad>", {"pad_token"}}, {"</s>", {"eos_token"}}, {"<unk>", {"unk_token"}}};
    case TokenizerKind::kCharacters: return {{"<unk>", {"unk_token"}}, {"<eos>", {"bos_token", "eos_token"}}};
  }
  return {};
}

std::vector<std::string> all_specials(const TokenizerTrainOptions& options) {
  std::vector<std::string> tokens;
  for (const Special& special : own_specials(options.kind)) tokens.emplace_back(special.token);
  for (const std::string& token : options.special_tokens) {
    check<ConfigError>(!token.empty() && is_valid_utf8(token), "tokenizer: expected special tokens of valid UTF-8");
    check<ConfigError>(std::find(tokens.begin(), tokens.end(), token) == tokens.end(),
                       "tokenizer: the special token '{}' is there twice", token);
    tokens.push_back(token);
  }
  return tokens;
}

Json normalizer_of(const TokenizerTrainOptions& options) {
  switch (options.kind) {
    case TokenizerKind::kWordPiece:
      return {{"type", "BertNormalizer"},
              {"clean_text", true},
              {"handle_chinese_chars", true},
              {"strip_accents", nullptr},
              {"lowercase", options.lowercase}};
    case TokenizerKind::kUnigram: {
      Json parts = Json::array();
      parts.push_back({{"type", "Nmt"}});
      parts.push_back({{"type", "NFKC"}});
      parts.push_back({{"type", "Strip"}, {"strip_left", true}, {"strip_right", true}});
      parts.push_back({{"type", "Replace"}, {"pattern", {{"Regex", " {2,}"}}}, {"content", " "}});
      return {{"type", "Sequence"}, {"normalizers", std::move(parts)}};
    }
    default: return nullptr;
  }
}

Json byte_level(bool trim_offsets) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", trim_offsets}, {"use_regex", true}};
}

Json metaspace() {
  return {{"type", "Metaspace"}, {"replacement", "\xE2\x96\x81"}, {"prepend_scheme", "always"}, {"split", true}};
}

Json pre_tokenizer_of(TokenizerKind kind) {
  switch (kind) {
    case TokenizerKind::kByteBpe: return byte_level(true);
    case TokenizerKind::kWordPiece: return {{"type", "BertPreTokenizer"}};
    case TokenizerKind::kUnigram: return metaspace();
    case TokenizerKind::kCharacters: return nullptr;
  }
  return nullptr;
}

Json decoder_of(TokenizerKind kind) {
  switch (kind) {
    case TokenizerKind::kByteBpe: return byte_level(true);
    case TokenizerKind::kWordPiece: return {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}};
    case TokenizerKind::kUnigram: return metaspace();
    case TokenizerKind::kCharacters: return {{"type", "Fuse"}};
  }
  return nullptr;
}

// A template such as "[CLS] A [SEP] B:1 [SEP]:1" as tokenizer.json has it.
Json template_of(const std::vector<std::pair<std::string, int>>& parts) {
  Json out = Json::array();
  for (const auto& [part, type] : parts) {
    const bool is_text = part == "A" || part == "B";
    Json content = {{"id", part}, {"type_id", type}};
    out.push_back(Json::object({{is_text ? "Sequence" : "SpecialToken", std::move(content)}}));
  }
  return out;
}

Json post_processor_of(TokenizerKind kind) {
  if (kind == TokenizerKind::kByteBpe) return byte_level(false);
  if (kind == TokenizerKind::kCharacters) return nullptr;
  const bool bert = kind == TokenizerKind::kWordPiece;
  const std::string begin = bert ? "[CLS]" : "", end = bert ? "[SEP]" : "</s>";
  const int second = bert ? 1 : 0;
  std::vector<std::pair<std::string, int>> single, pair;
  if (bert) single.emplace_back(begin, 0);
  single.emplace_back("A", 0);
  single.emplace_back(end, 0);
  pair = single;
  pair.emplace_back("B", second);
  pair.emplace_back(end, second);
  Json tokens = Json::object();
  const auto specials = own_specials(kind);
  for (size_t id = 0; id < specials.size(); ++id)
    if (const std::string token = specials[id].token; token == end || token == begin)
      tokens[token] = {{"id", token}, {"ids", {id}}, {"tokens", {token}}};
  return {{"type", "TemplateProcessing"},
          {"single", template_of(single)},
          {"pair", template_of(pair)},
          {"special_tokens", std::move(tokens)}};
}

// An object of tokens to their places. (Json's own [] looks through all keys.)
Json vocabulary_of(const std::vector<std::string>& tokens) {
  Json vocabulary = Json::object();
  auto& entries = vocabulary.get_ref<Json::object_t&>();
  entries.reserve(tokens.size());
  for (size_t id = 0; id < tokens.size(); ++id) entries.emplace_back(tokens[id], id);
  return vocabulary;
}

Json bpe_model(const std::vector<std::string>& tokens, Json merges, Json unknown) {
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", std::move(unknown)},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", false},
          {"byte_fallback", false},
          {"ignore_merges", false},
          {"vocab", vocabulary_of(tokens)},
          {"merges", std::move(merges)}};
}

void check_alphabet(size_t specials, size_t alphabet, size_t vocab_size) {
  check<ConfigError>(
      specials + alphabet <= vocab_size,
      "tokenizer: a vocabulary of {} tokens cannot hold {} special tokens and {} characters; expected at "
      "least {} (or a limited alphabet)",
      vocab_size, specials, alphabet, specials + alphabet);
}

std::u32string byte_alphabet() {
  std::u32string alphabet;
  for (int byte = 0; byte < 256; ++byte) alphabet += pipeline::byte_level_character(static_cast<unsigned char>(byte));
  return alphabet;
}

// What a kind's trainer makes: the model's document, and how many tokens it has.
struct Trained {
  Json model;
  size_t tokens;
};

Trained train_merges(const std::vector<WordCount>& words, const TokenizerTrainOptions& options,
                     std::vector<std::string> specials, const TrainProgress& progress) {
  const bool bytes = options.kind == TokenizerKind::kByteBpe;
  BpeTrainOptions train;
  train.vocab_size = options.vocab_size;
  train.min_frequency = options.min_frequency;
  train.limit_alphabet = bytes ? 0 : options.limit_alphabet;
  if (bytes) train.initial_alphabet = byte_alphabet();
  else train.continuing_prefix = "##";
  train.special_tokens = std::move(specials);
  train.progress = progress;
  const BpeVocabulary trained = train_bpe(words, train);
  check_alphabet(train.special_tokens.size(),
                 trained.tokens.size() - train.special_tokens.size() - trained.merges.size(), options.vocab_size);
  if (!bytes)
    return {{{"type", "WordPiece"},
             {"unk_token", "[UNK]"},
             {"continuing_subword_prefix", "##"},
             {"max_input_chars_per_word", 100},
             {"vocab", vocabulary_of(trained.tokens)}},
            trained.tokens.size()};
  Json merges = Json::array();
  for (const auto& [left, right] : trained.merges) merges.push_back({trained.tokens[left], trained.tokens[right]});
  return {bpe_model(trained.tokens, std::move(merges), nullptr), trained.tokens.size()};
}

Trained train_pieces(const std::vector<WordCount>& words, const TokenizerTrainOptions& options,
                     const std::vector<std::string>& specials, const TrainProgress& progress) {
  check_alphabet(specials.size(), train_alphabet(words, options.limit_alphabet, {}).size(), options.vocab_size);
  UnigramTrainOptions train;
  train.vocab_size = options.vocab_size - specials.size();
  train.min_frequency = options.min_frequency;
  train.limit_alphabet = options.limit_alphabet;
  train.progress = progress;
  Json vocabulary = Json::array();
  for (const std::string& token : specials) vocabulary.push_back({token, 0.0});
  for (auto& [piece, score] : train_unigram(words, train)) {
    if (std::find(specials.begin(), specials.end(), piece) == specials.end())
      vocabulary.push_back({std::move(piece), score});
  }
  const auto unknown = std::find(specials.begin(), specials.end(), "<unk>") - specials.begin();
  const size_t tokens = vocabulary.size();
  return {{{"type", "Unigram"}, {"unk_id", unknown}, {"vocab", std::move(vocabulary)}, {"byte_fallback", false}},
          tokens};
}

Trained train_characters(const std::vector<WordCount>& words, const TokenizerTrainOptions& options,
                         std::vector<std::string> tokens) {
  const size_t room = options.vocab_size - std::min(options.vocab_size, tokens.size());
  const size_t limit = options.limit_alphabet > 0 ? std::min(room, options.limit_alphabet) : room;
  check<ConfigError>(room > 0, "tokenizer: expected a vocabulary of more than {} tokens, got {}", tokens.size(),
                     options.vocab_size);
  for (const char32_t c : train_alphabet(words, limit, {}))
    tokens.push_back(from_code_points(std::u32string_view(&c, 1)));
  // Pairs that are never merged: text falls into its characters.
  return {bpe_model(tokens, Json::array(), "<unk>"), tokens.size()};
}

}  // namespace

struct TokenizerTrainer::Splitter {
  std::unique_ptr<pipeline::Normalizer> normalizer;
  std::unique_ptr<pipeline::PreTokenizer> pre_tokenizer;
  pipeline::PieceList list;
};

TokenizerTrainer::TokenizerTrainer(TokenizerTrainOptions options)
    : options_(std::move(options)), splitter_(std::make_unique<Splitter>()) {
  check<ConfigError>(options_.vocab_size >= 1 && options_.vocab_size <= kLargestVocabulary,
                     "tokenizer: expected a vocab_size of 1 to {}, got {}", kLargestVocabulary, options_.vocab_size);
  check<ConfigError>(options_.min_frequency >= 1, "tokenizer: expected a min_frequency of 1 or more");
  check<ConfigError>(options_.limit_alphabet == 0 || options_.kind != TokenizerKind::kByteBpe,
                     "tokenizer: the alphabet of bytes cannot be limited");
  all_specials(options_);
  const std::string name = "tokenizer";
  const Json normalizer = normalizer_of(options_), pre_tokenizer = pre_tokenizer_of(options_.kind);
  if (!normalizer.is_null()) splitter_->normalizer = pipeline::make_normalizer(JsonPart(normalizer, name));
  if (!pre_tokenizer.is_null()) splitter_->pre_tokenizer = pipeline::make_pre_tokenizer(JsonPart(pre_tokenizer, name));
}

TokenizerTrainer::~TokenizerTrainer() = default;

void TokenizerTrainer::add(std::string_view line) {
  ++lines_;
  const std::string text = to_valid_utf8(line);
  if (options_.kind == TokenizerKind::kCharacters) {
    for (std::string_view rest = text; !rest.empty();) {
      const size_t length = decode_utf8(rest).length;
      words_.add(rest.substr(0, length));
      rest.remove_prefix(length);
    }
    words_.add("\n");
    return;
  }
  pipeline::PieceList& list = splitter_->list;
  list.text.assign(text, 0, splitter_->pre_tokenizer->needs_origins());
  if (splitter_->normalizer) splitter_->normalizer->apply(list.text);
  list.pieces.clear();
  if (list.text.text.empty()) return;
  list.pieces.push_back({0, static_cast<uint32_t>(list.text.text.size()), 0});
  splitter_->pre_tokenizer->apply(list);
  for (const pipeline::Piece& piece : list.pieces) words_.add(list.view(piece));
}

TrainedTokenizer TokenizerTrainer::train(const TrainProgress& progress) const {
  const std::vector<WordCount> words = words_.sorted();
  check<DataError>(!words.empty(), "tokenizer: there is no text to train on");
  const std::vector<std::string> specials = all_specials(options_);
  const TokenizerKind kind = options_.kind;
  Trained trained = kind == TokenizerKind::kUnigram      ? train_pieces(words, options_, specials, progress)
                    : kind == TokenizerKind::kCharacters ? train_characters(words, options_, specials)
                                                         : train_merges(words, options_, specials, progress);
  Json added = Json::array();
  for (size_t id = 0; id < specials.size(); ++id)
    added.push_back({{"id", id},
                     {"content", specials[id]},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  TrainedTokenizer result;
  result.tokens = trained.tokens;
  result.tokenizer = {{"version", "1.0"},
                      {"truncation", nullptr},
                      {"padding", nullptr},
                      {"added_tokens", std::move(added)},
                      {"normalizer", normalizer_of(options_)},
                      {"pre_tokenizer", pre_tokenizer_of(kind)},
                      {"post_processor", post_processor_of(kind)},
                      {"decoder", decoder_of(kind)},
                      {"model", std::move(trained.model)}};
  result.config = {{"tokenizer_class", "PreTrainedTokenizerFast"}, {"clean_up_tokenization_spaces", false}};
  for (const Special& special : own_specials(kind))
    for (const char* key : special.keys) result.config[key] = special.token;
  if (kind == TokenizerKind::kUnigram || kind == TokenizerKind::kWordPiece) {
    Json names = Json::array();
    for (const char* name : {"input_ids", "attention_mask"}) names.push_back(name);
    if (kind == TokenizerKind::kWordPiece) names.insert(names.begin() + 1, "token_type_ids");
    result.config["model_input_names"] = std::move(names);
  }
  return result;
}

void save_tokenizer(const TrainedTokenizer& tokenizer, const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  check<IoError>(!error, "{}: cannot create: {}", folder.string(), error.message());
  write_json(folder / "tokenizer.json", tokenizer.tokenizer);
  write_json(folder / "tokenizer_config.json", tokenizer.config);
}

}  // namespace heed::text
