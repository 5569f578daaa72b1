#include "heed/text/marian_config.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "heed/base/error.h"

namespace heed::text {
namespace {

constexpr std::array kSpecialKeys = {"bos_token", "eos_token", "unk_token", "sep_token",
                                     "pad_token", "cls_token", "mask_token"};
constexpr int kMaxAddedId = 1 << 22;
constexpr size_t kMaxTokenBytes = 1000;  // keeps the search for added tokens linear

// A token stands in a config as its text or as an object with its "content".
std::string token_text(const Json& value, const std::string& name, const std::string& key) {
  const bool is_object = value.is_object() && value.contains("content") && value["content"].is_string();
  check<FormatError>(value.is_string() || is_object, "{}: expected {} to be a token, got {}", name, key, value.dump());
  std::string text = is_object ? value["content"].get<std::string>() : value.get<std::string>();
  check<FormatError>(!text.empty() && text.size() <= kMaxTokenBytes,
                     "{}: expected {} to be a token of 1 to {} bytes, got {}", name, key, kMaxTokenBytes, text.size());
  return text;
}

}  // namespace

void SpecialTokens::read(const Json& config, const std::string& name) {
  for (const std::string key : kSpecialKeys) {
    if (!config.contains(key) || config[key].is_null()) continue;
    const std::string text = token_text(config[key], name, key);
    if (key == "unk_token") unk = text;
    else if (key == "eos_token") eos = text;
    else if (key == "pad_token") pad = text;
    else others.push_back(text);
  }
  for (const char* key : {"extra_special_tokens", "additional_special_tokens"}) {
    if (!config.contains(key) || !config[key].is_array()) continue;
    for (const Json& token : config[key]) others.push_back(token_text(token, name, key));
    break;
  }
}

std::vector<std::string> SpecialTokens::all() const {
  std::vector<std::string> once;
  std::unordered_set<std::string> seen;
  const auto add = [&](const std::string& text) {
    if (seen.insert(text).second) once.push_back(text);
  };
  for (const std::string& text : {eos, unk, pad}) add(text);
  for (const std::string& text : others) add(text);
  return once;
}

std::vector<AddedToken> read_added_tokens(const Json& config, const std::string& name) {
  std::vector<AddedToken> tokens;
  if (!config.contains("added_tokens_decoder")) return tokens;
  const Json& entries = config["added_tokens_decoder"];
  check<FormatError>(entries.is_object(), "{}: expected added_tokens_decoder to be an object, got {}", name,
                     entries.type_name());
  for (const auto& entry : entries.items()) {
    const std::string& key = entry.key();
    const Json& value = entry.value();
    AddedToken token;
    token.content = token_text(value, name, "added_tokens_decoder");
    const bool is_number = !key.empty() && key.size() <= 7 && key.find_first_not_of("0123456789") == std::string::npos;
    check<FormatError>(is_number && std::stoi(key) < kMaxAddedId,
                       "{}: expected an id of 0 to {} in added_tokens_decoder, got \"{}\"", name, kMaxAddedId - 1, key);
    token.id = std::stoi(key);
    const auto flag = [&](const char* which) { return value.is_object() && read_flag(value, which, name); };
    token.lstrip = flag("lstrip");
    token.rstrip = flag("rstrip");
    check<ConfigError>(!flag("single_word"), "{}: the added token \"{}\" has single_word, which is not supported", name,
                       token.content);
    tokens.push_back(std::move(token));
  }
  return tokens;
}

bool read_flag(const Json& config, const char* key, const std::string& name) {
  if (!config.contains(key) || config[key].is_null()) return false;
  check<FormatError>(config[key].is_boolean(), "{}: expected {} to be true or false, got {}", name, key,
                     config[key].dump());
  return config[key].get<bool>();
}

Json make_marian_config(bool separate_vocabs, const std::string& source_language, const std::string& target_language,
                        int32_t eos, int32_t unk, int32_t pad) {
  const SpecialTokens names;
  std::vector<std::pair<int32_t, std::string>> special{{eos, names.eos}, {unk, names.unk}, {pad, names.pad}};
  std::sort(special.begin(), special.end());
  Json added = Json::object();
  for (const auto& [id, content] : special)
    added[std::to_string(id)] = {{"content", content}, {"lstrip", false},      {"normalized", false},
                                 {"rstrip", false},    {"single_word", false}, {"special", true}};
  const auto language = [](const std::string& code) { return code.empty() ? Json(nullptr) : Json(code); };
  return {{"added_tokens_decoder", added},
          {"backend", "custom"},
          {"eos_token", names.eos},
          {"model_max_length", 512},
          {"pad_token", names.pad},
          {"separate_vocabs", separate_vocabs},
          {"source_lang", language(source_language)},
          {"sp_model_kwargs", Json::object()},
          {"target_lang", language(target_language)},
          {"tokenizer_class", "MarianTokenizer"},
          {"unk_token", names.unk}};
}

}  // namespace heed::text
