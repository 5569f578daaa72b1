#include "heed/text/tokenizer_files.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/text/python_text.h"
#include "heed/text/sentencepiece_model.h"

namespace heed::text {
namespace {

namespace fs = std::filesystem;

constexpr int kMostExtraIds = 1 << 16;
constexpr size_t kLongestPiece = 512;  // bytes, of a BPE model: each of its pieces is cut at every place

enum class Family { kGpt2, kRoberta, kBert, kT5, kLlama };

struct Files {
  fs::path folder;
  Json config;  // tokenizer_config.json
  Json names;   // special_tokens_map.json
  Json model;   // config.json

  std::string name(const char* file) const { return (folder / file).string(); }
  bool flag(const char* key, bool otherwise) const {
    if (!config.contains(key) || config[key].is_null()) return otherwise;
    check<FormatError>(config[key].is_boolean(), "{}: \"{}\": expected true or false, got {}",
                       name("tokenizer_config.json"), key, config[key].dump());
    return config[key].get<bool>();
  }
};

Json read_object(const fs::path& file) {
  if (!fs::exists(file)) return Json::object();
  Json object = read_json(file);
  check<FormatError>(object.is_object(), "{}: expected an object", file.string());
  return object;
}

std::string text_at(const Json& object, const char* key) {
  return object.contains(key) && object[key].is_string() ? object[key].get<std::string>() : "";
}

Family family_of(const Files& files, const char* file, std::initializer_list<Family> possible) {
  static const std::unordered_map<std::string, Family> kClasses = {
      {"GPT2Tokenizer", Family::kGpt2},  {"RobertaTokenizer", Family::kRoberta}, {"BartTokenizer", Family::kRoberta},
      {"BertTokenizer", Family::kBert},  {"DistilBertTokenizer", Family::kBert}, {"T5Tokenizer", Family::kT5},
      {"LlamaTokenizer", Family::kLlama}};
  static const std::unordered_map<std::string, Family> kModels = {
      {"gpt2", Family::kGpt2},       {"roberta", Family::kRoberta}, {"bart", Family::kRoberta}, {"bert", Family::kBert},
      {"distilbert", Family::kBert}, {"t5", Family::kT5},           {"llama", Family::kLlama}};
  std::string name = text_at(files.config, "tokenizer_class");
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  const std::string model = text_at(files.model, "model_type");
  auto found = kClasses.find(name);
  const bool by_class = found != kClasses.end();
  if (!by_class && name.empty()) found = kModels.find(model);
  const bool known = by_class || (name.empty() && found != kModels.end());
  const bool fits = known && std::find(possible.begin(), possible.end(), found->second) != possible.end();
  check<ConfigError>(fits,
                     "{}: no tokenizer is known that is made of {} for tokenizer_class \"{}\", model_type \"{}\"; "
                     "expected a tokenizer.json, or a class or model type of GPT-2, RoBERTa, BART, BERT, DistilBERT, "
                     "T5 or Llama with its files",
                     files.folder.string(), file, name, model);
  return found->second;
}

// The content of a special token, which may be a text or an object.
std::string content_of(const Json& config, const char* key) {
  if (!config.contains(key)) return "";
  const Json& value = config[key];
  return value.is_object() ? text_at(value, "content") : value.is_string() ? value.get<std::string>() : "";
}

// Special tokens that no file names get the family's own names.
void name_specials(Files& files, std::initializer_list<std::pair<const char*, const char*>> usual) {
  for (const auto& [key, token] : usual) {
    if (files.config.contains(key)) continue;
    if (files.names.contains(key)) files.config[key] = files.names[key];
    else files.config[key] = token;
  }
}

Json vocabulary_object(const std::vector<std::pair<std::string, int64_t>>& entries) {
  Json vocabulary = Json::object();
  auto& object = vocabulary.get_ref<Json::object_t&>();  // tokens are known to differ; [] would look through them
  object.reserve(entries.size());
  for (const auto& [token, id] : entries) object.emplace_back(token, id);
  return vocabulary;
}

Json byte_level(bool add_prefix_space, bool trim_offsets) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", add_prefix_space},
          {"trim_offsets", trim_offsets},
          {"use_regex", true}};
}

Json special_part(const std::string& token, int type) {
  return Json::object({{"SpecialToken", Json::object({{"id", token}, {"type_id", type}})}});
}
Json text_part(const char* text, int type) {
  return Json::object({{"Sequence", Json::object({{"id", text}, {"type_id", type}})}});
}

struct SpecialId {
  std::string token;
  int64_t id;
};

// Tokens before and behind each text of one or two; either may be empty.
Json template_of(const std::vector<SpecialId>& before, const std::vector<SpecialId>& behind, int second_type,
                 bool repeat_before) {
  Json single = Json::array(), pair = Json::array(), tokens = Json::object();
  const auto add = [&](Json& parts, const std::vector<SpecialId>& specials, int type) {
    for (const SpecialId& special : specials) {
      parts.push_back(special_part(special.token, type));
      tokens[special.token] = Json::object(
          {{"id", special.token}, {"ids", Json::array({special.id})}, {"tokens", Json::array({special.token})}});
    }
  };
  add(single, before, 0);
  single.push_back(text_part("A", 0));
  add(single, behind, 0);
  pair = single;
  if (repeat_before) add(pair, before, second_type);
  pair.push_back(text_part("B", second_type));
  add(pair, behind, second_type);
  return {{"type", "TemplateProcessing"},
          {"single", std::move(single)},
          {"pair", std::move(pair)},
          {"special_tokens", std::move(tokens)}};
}

// bos and eos as add_bos_token and add_eos_token ask for them.
template <class IdOf>
Json begin_and_end(const Files& files, IdOf&& id_of) {
  std::vector<SpecialId> before, behind;
  if (files.flag("add_bos_token", false)) before.push_back(id_of(content_of(files.config, "bos_token")));
  if (files.flag("add_eos_token", false)) behind.push_back(id_of(content_of(files.config, "eos_token")));
  return template_of(before, behind, 1, true);
}

Json document_of(Json normalizer, Json pre_tokenizer, Json post_processor, Json decoder, Json model,
                 Json added = Json::array()) {
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", std::move(added)},
          {"normalizer", std::move(normalizer)},
          {"pre_tokenizer", std::move(pre_tokenizer)},
          {"post_processor", std::move(post_processor)},
          {"decoder", std::move(decoder)},
          {"model", std::move(model)}};
}

Json added_token(int64_t id, const std::string& content, bool special) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", special}};
}

// "a b" a line, behind an optional "#version: …".
Json read_merges(const fs::path& file) {
  const std::string content = read_file(file);
  Json merges = Json::array();
  size_t number = 0;
  for (std::string_view line : python_split(content, "\n", -1, false)) {
    ++number;
    line = python_strip(line, {}, true, true);
    if (line.empty() || (number == 1 && line.starts_with("#version"))) continue;
    const size_t space = line.find(' ');
    const bool pair = space != std::string_view::npos && line.find(' ', space + 1) == std::string_view::npos;
    check<FormatError>(pair, "{}: line {}: expected two tokens, got '{}'", file.string(), number, line.substr(0, 80));
    merges.push_back(Json::array({std::string(line.substr(0, space)), std::string(line.substr(space + 1))}));
  }
  return merges;
}

Json read_bytes(Files& files, bool roberta) {
  if (roberta)
    name_specials(files, {{"bos_token", "<s>"},
                          {"eos_token", "</s>"},
                          {"sep_token", "</s>"},
                          {"cls_token", "<s>"},
                          {"unk_token", "<unk>"},
                          {"pad_token", "<pad>"},
                          {"mask_token", "<mask>"}});
  else
    name_specials(files,
                  {{"bos_token", "<|endoftext|>"}, {"eos_token", "<|endoftext|>"}, {"unk_token", "<|endoftext|>"}});
  Json vocabulary = read_json(files.folder / "vocab.json");
  check<FormatError>(vocabulary.is_object(), "{}: expected an object of tokens and ids", files.name("vocab.json"));
  const auto id_of = [&](const std::string& token) {
    const auto found = vocabulary.find(token);
    check<FormatError>(found != vocabulary.end() && found->is_number_integer(), "{}: the special token '{}' has no id",
                       files.name("vocab.json"), token);
    return SpecialId{token, found->get<int64_t>()};
  };
  const bool prefix = files.flag("add_prefix_space", false), trim = files.flag("trim_offsets", true);
  Json processor;
  if (roberta) {
    const SpecialId sep = id_of(content_of(files.config, "sep_token")),
                    cls = id_of(content_of(files.config, "cls_token"));
    processor = {{"type", "RobertaProcessing"},
                 {"sep", Json::array({sep.token, sep.id})},
                 {"cls", Json::array({cls.token, cls.id})},
                 {"trim_offsets", trim},
                 {"add_prefix_space", prefix}};
  } else {
    processor = begin_and_end(files, id_of);
  }
  Json model = {{"type", "BPE"},
                {"dropout", nullptr},
                {"unk_token", nullptr},
                {"continuing_subword_prefix", ""},
                {"end_of_word_suffix", ""},
                {"fuse_unk", false},
                {"byte_fallback", false},
                {"ignore_merges", false},
                {"vocab", std::move(vocabulary)},
                {"merges", read_merges(files.folder / "merges.txt")}};
  return document_of(nullptr, byte_level(prefix, true), std::move(processor), byte_level(true, true), std::move(model));
}

Json read_bert(Files& files) {
  name_specials(files, {{"unk_token", "[UNK]"},
                        {"sep_token", "[SEP]"},
                        {"pad_token", "[PAD]"},
                        {"cls_token", "[CLS]"},
                        {"mask_token", "[MASK]"}});
  const std::string content = read_file(files.folder / "vocab.txt");
  std::vector<std::pair<std::string, int64_t>> entries;
  std::unordered_map<std::string, size_t> places;
  std::string_view rest = content;
  for (int64_t id = 0; !rest.empty(); ++id) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    std::string token(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (token.ends_with('\r')) token.pop_back();
    // Of a token that is there twice the last line counts.
    const auto [place, is_new] = places.emplace(token, entries.size());
    if (is_new) entries.emplace_back(std::move(token), id);
    else entries[place->second].second = id;
  }
  const auto id_of = [&](const char* key) {
    const std::string token = content_of(files.config, key);
    const auto found = places.find(token);
    check<FormatError>(found != places.end(), "{}: the special token '{}' has no line", files.name("vocab.txt"), token);
    return SpecialId{token, entries[found->second].second};
  };
  Json accents = nullptr;
  if (files.config.contains("strip_accents") && !files.config["strip_accents"].is_null())
    accents = files.flag("strip_accents", false);
  Json normalizer = {{"type", "BertNormalizer"},
                     {"clean_text", true},
                     {"handle_chinese_chars", files.flag("tokenize_chinese_chars", true)},
                     {"strip_accents", accents},
                     {"lowercase", files.flag("do_lower_case", true)}};
  Json model = {{"type", "WordPiece"},
                {"unk_token", content_of(files.config, "unk_token")},
                {"continuing_subword_prefix", "##"},
                {"max_input_chars_per_word", 100},
                {"vocab", vocabulary_object(entries)}};
  return document_of(std::move(normalizer), Json::object({{"type", "BertPreTokenizer"}}),
                     template_of({id_of("cls_token")}, {id_of("sep_token")}, 1, false),
                     Json::object({{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}), std::move(model));
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k)
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k) out += i + k > bytes.size() ? '=' : kDigits[group >> (18 - 6 * k) & 63];
  }
  return out;
}

// Control and user-defined pieces are found in raw text.
Json added_pieces(const SentencePieceModel& model) {
  Json added = Json::array();
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const PieceType type = model.pieces[id].type;
    if (type == PieceType::kControl || type == PieceType::kUserDefined)
      added.push_back(added_token(static_cast<int64_t>(id), model.pieces[id].text, type == PieceType::kControl));
  }
  return added;
}

size_t count_extra_ids(const Files& files) {
  size_t listed = 0;
  if (files.config.contains("additional_special_tokens") && files.config["additional_special_tokens"].is_array())
    for (const Json& token : files.config["additional_special_tokens"]) {
      const std::string content = token.is_string() ? token.get<std::string>() : text_at(token, "content");
      listed += content.find("<extra_id_") != std::string::npos;
    }
  if (listed > 0) return listed;
  if (!files.config.contains("extra_ids")) return 100;
  const Json& given = files.config["extra_ids"];
  check<FormatError>(given.is_number_integer() && given >= 0 && given <= kMostExtraIds,
                     "{}: \"extra_ids\": expected a number of 0 to {}, got {}", files.name("tokenizer_config.json"),
                     kMostExtraIds, given.dump());
  return given.get<size_t>();
}

Json read_t5(Files& files) {
  name_specials(files, {{"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"pad_token", "<pad>"}});
  const SentencePieceModel model = read_sentencepiece_model(files.folder / "spiece.model");
  check<FormatError>(model.type == SegmentationType::kUnigram, "{}: expected a unigram model", model.name);
  const std::string eos = content_of(files.config, "eos_token");
  Json vocabulary = Json::array(), added = added_pieces(model);
  std::unordered_set<std::string_view> texts;
  int64_t eos_id = -1;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const SentencePieceEntry& piece = model.pieces[id];
    texts.insert(piece.text);
    if (piece.text == eos) eos_id = static_cast<int64_t>(id);
    vocabulary.push_back(Json::array({piece.text, static_cast<double>(piece.score)}));
  }
  check<FormatError>(eos_id >= 0, "{}: the token '{}' is not in it", model.name, eos);
  for (size_t i = count_extra_ids(files); i-- > 0;) {
    const std::string token = fmt::format("<extra_id_{}>", i);
    if (texts.contains(token)) continue;
    added.push_back(added_token(static_cast<int64_t>(vocabulary.size()), token, true));
    vocabulary.push_back(Json::array({token, 0.0}));
  }
  Json normalizer;
  if (!model.normalizer.precompiled_charsmap.empty())
    normalizer = Json::object(
        {{"type", "Precompiled"}, {"precompiled_charsmap", base64(model.normalizer.precompiled_charsmap)}});
  const Json metaspace = Json::object(
      {{"type", "Metaspace"}, {"replacement", kSpaceSymbol}, {"prepend_scheme", "always"}, {"split", true}});
  Json pre_tokenizer = Json::object(
      {{"type", "Sequence"}, {"pretokenizers", Json::array({Json::object({{"type", "WhitespaceSplit"}}), metaspace})}});
  Json unigram = {
      {"type", "Unigram"}, {"unk_id", model.unk_id}, {"vocab", std::move(vocabulary)}, {"byte_fallback", false}};
  return document_of(std::move(normalizer), std::move(pre_tokenizer), template_of({}, {{eos, eos_id}}, 0, false),
                     metaspace, std::move(unigram), std::move(added));
}

// The merges that a BPE model's pieces stand for: each way to cut a piece in two, in the order of the pieces' ids, then
// of the parts' lengths and ids.
Json merges_of(const SentencePieceModel& model, const std::unordered_map<std::string, int64_t>& ids) {
  struct Cut {
    size_t left_length, right_length;
    int64_t left, right;
  };
  Json merges = Json::array();
  for (const SentencePieceEntry& piece : model.pieces) {
    check<FormatError>(piece.text.size() <= kLongestPiece, "{}: expected pieces of at most {} bytes, got one of {}",
                       model.name, kLongestPiece, piece.text.size());
    const auto length = static_cast<size_t>(count_code_points(piece.text));
    std::vector<Cut> cuts;
    for (size_t i = 1; i < length; ++i) {
      const size_t at = byte_of_code_point(piece.text, static_cast<int64_t>(i));
      const auto left = ids.find(piece.text.substr(0, at)), right = ids.find(piece.text.substr(at));
      if (left != ids.end() && right != ids.end()) cuts.push_back({i, length - i, left->second, right->second});
    }
    std::sort(cuts.begin(), cuts.end(), [](const Cut& a, const Cut& b) {
      return std::tie(a.left_length, a.right_length, a.left, a.right) <
             std::tie(b.left_length, b.right_length, b.left, b.right);
    });
    for (const Cut& cut : cuts)
      merges.push_back(Json::array(
          {model.pieces[static_cast<size_t>(cut.left)].text, model.pieces[static_cast<size_t>(cut.right)].text}));
  }
  return merges;
}

Json read_llama(Files& files) {
  name_specials(files, {{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}});
  const SentencePieceModel model = read_sentencepiece_model(files.folder / "tokenizer.model");
  check<FormatError>(model.type == SegmentationType::kBpe, "{}: expected a BPE model", model.name);
  std::unordered_map<std::string, int64_t> ids;
  std::vector<std::pair<std::string, int64_t>> entries;
  for (const SentencePieceEntry& piece : model.pieces) {
    const auto id = static_cast<int64_t>(entries.size());
    ids.emplace(piece.text, id);
    entries.emplace_back(piece.text, id);
  }
  const auto id_of = [&](const std::string& token) {
    const auto found = ids.find(token);
    check<FormatError>(found != ids.end(), "{}: the token '{}' is not in it", model.name, token);
    return SpecialId{token, found->second};
  };
  const bool prefix = files.flag("add_prefix_space", true);
  const char* scheme = !prefix ? "never" : files.flag("legacy", false) ? "always" : "first";
  Json pre_tokenizer = {
      {"type", "Metaspace"}, {"replacement", kSpaceSymbol}, {"prepend_scheme", scheme}, {"split", false}};
  Json decoders = Json::array(
      {Json::object({{"type", "Replace"}, {"pattern", Json::object({{"String", kSpaceSymbol}})}, {"content", " "}}),
       Json::object({{"type", "ByteFallback"}}), Json::object({{"type", "Fuse"}})});
  if (prefix) decoders.push_back(Json::object({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}));
  Json bpe = {{"type", "BPE"},
              {"dropout", nullptr},
              {"unk_token", nullptr},
              {"continuing_subword_prefix", nullptr},
              {"end_of_word_suffix", nullptr},
              {"fuse_unk", true},
              {"byte_fallback", true},
              {"ignore_merges", false},
              {"vocab", vocabulary_object(entries)},
              {"merges", merges_of(model, ids)}};
  return document_of(nullptr, std::move(pre_tokenizer), begin_and_end(files, id_of),
                     Json::object({{"type", "Sequence"}, {"decoders", std::move(decoders)}}), std::move(bpe),
                     added_pieces(model));
}

}  // namespace

std::optional<TokenizerDocument> read_tokenizer_files(const fs::path& folder) {
  Files files{folder, read_object(folder / "tokenizer_config.json"), read_object(folder / "special_tokens_map.json"),
              read_object(folder / "config.json")};
  const auto has = [&](const char* file) { return fs::exists(folder / file); };
  using enum Family;
  Json document;
  if (has("vocab.json") && has("merges.txt")) {
    const Family family = family_of(files, "vocab.json and merges.txt", {kGpt2, kRoberta});
    document = read_bytes(files, family == kRoberta);
  } else if (has("vocab.txt")) {
    family_of(files, "vocab.txt", {kBert});
    document = read_bert(files);
  } else if (has("spiece.model")) {
    family_of(files, "spiece.model", {kT5});
    document = read_t5(files);
  } else if (has("tokenizer.model")) {
    family_of(files, "tokenizer.model", {kLlama});
    document = read_llama(files);
  } else return std::nullopt;
  return TokenizerDocument{std::move(document), std::move(files.config)};
}

}  // namespace heed::text
