// Reading tokenizer.json and tokenizer_config.json into a PipelineTokenizer, and writing them.
#include <algorithm>
#include <map>
#include <utility>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/log.h"
#include "heed/text/pipeline_state.h"

namespace heed::text {
namespace fs = std::filesystem;
using pipeline::AddedToken;
namespace {

constexpr const char* kFile = "tokenizer.json";
constexpr const char* kConfigFile = "tokenizer_config.json";
constexpr const char* kNamesFile = "special_tokens_map.json";
constexpr int64_t kMaxLength = INT32_MAX;

// The part under `key`, if it is there and not null.
std::optional<JsonPart> part_of(const JsonPart& document, const char* key) {
  return document.has(key) ? std::optional(document.at(key)) : std::nullopt;
}

size_t read_length(const JsonPart& part) { return static_cast<size_t>(part.integer(0, kMaxLength)); }

bool read_left(const JsonPart& part) {
  const std::string& direction = part.string();
  if (direction != "Left" && direction != "Right") part.refuse("Left or Right");
  return direction == "Left";
}

Truncation read_truncation(const JsonPart& part) {
  Truncation truncation;
  truncation.max_length = read_length(part.at("max_length"));
  truncation.stride = part.has("stride") ? read_length(part.at("stride")) : 0;
  truncation.from_left = part.has("direction") && read_left(part.at("direction"));
  const std::string& strategy = part.string("strategy");
  if (strategy == "OnlyFirst") truncation.strategy = Truncation::Strategy::kOnlyFirst;
  else if (strategy == "OnlySecond") truncation.strategy = Truncation::Strategy::kOnlySecond;
  else if (strategy != "LongestFirst") part.at("strategy").refuse("LongestFirst, OnlyFirst or OnlySecond");
  return truncation;
}

Padding read_padding(const JsonPart& part) {
  Padding padding;
  const JsonPart strategy = part.at("strategy");
  if (strategy.value().is_object()) padding.length = read_length(strategy.at("Fixed"));
  else if (strategy.string() != "BatchLongest") strategy.refuse("BatchLongest or {\"Fixed\": …}");
  padding.multiple_of = part.has("pad_to_multiple_of") ? read_length(part.at("pad_to_multiple_of")) : 0;
  padding.at_left = read_left(part.at("direction"));
  padding.id = static_cast<int32_t>(part.at("pad_id").integer(0, kMaxLength));
  padding.type = static_cast<int32_t>(part.at("pad_type_id").integer(0, kMaxLength));
  return padding;
}

}  // namespace

void PipelineTokenizer::State::read(const Json& special_names) {
  read_parts();
  read_added_tokens();
  read_special_tokens(special_names);
  added.prepare(normalizer.get());
  read_limits();
  size_t size = static_cast<size_t>(model->vocabulary().size());
  size = std::max(size, model->count());
  for (const AddedToken& token : added.tokens()) size = std::max(size, static_cast<size_t>(token.id) + 1);
  names_.resize(size);
  for (size_t id = 0; id < size; ++id) names_[id].text = model->token(static_cast<int32_t>(id));
  for (size_t i = 0; i < added.tokens().size(); ++i) {
    const AddedToken& token = added.tokens()[i];
    names_[static_cast<size_t>(token.id)] = {&added.spellings()[i], token.special};
  }
}

void PipelineTokenizer::State::read_parts() {
  const JsonPart root(document, name);
  model = pipeline::make_model(root.at("model"));
  if (const auto part = part_of(root, "normalizer")) normalizer = pipeline::make_normalizer(*part);
  if (const auto part = part_of(root, "pre_tokenizer")) pre_tokenizer = pipeline::make_pre_tokenizer(*part);
  if (const auto part = part_of(root, "post_processor")) post_processor = pipeline::make_post_processor(*part);
  if (const auto part = part_of(root, "decoder")) decoder = pipeline::make_decoder(*part);
  if (const auto part = part_of(root, "truncation")) truncation = read_truncation(*part);
  if (const auto part = part_of(root, "padding")) padding = read_padding(*part);
  // Without a normalizer the places of a text's pieces are known anyway.
  tracks_always =
      pre_tokenizer && pre_tokenizer->needs_origins() && (normalizer || root.at("pre_tokenizer").type() == "Sequence");
}

AddedToken PipelineTokenizer::State::read_added_token(const JsonPart& part) const {
  AddedToken token;
  token.content = part.string("content");
  if (token.content.size() > pipeline::kMaxTokenBytes)
    part.at("content").refuse("at most " + std::to_string(pipeline::kMaxTokenBytes) + " bytes");
  token.single_word = part.boolean("single_word", false);
  token.lstrip = part.boolean("lstrip", false);
  token.rstrip = part.boolean("rstrip", false);
  token.special = part.boolean("special", false);
  token.normalized = part.boolean("normalized", !token.special);
  return token;
}

void PipelineTokenizer::State::read_added_tokens() {
  const JsonPart root(document, name);
  if (const auto list = part_of(root, "added_tokens")) {
    for (size_t i = 0; i < list->array().size(); ++i) {
      const JsonPart part = list->item(i);
      AddedToken token = read_added_token(part);
      const std::string content = token.content;
      added.add(std::move(token), *model);
      const int64_t wanted = part.at("id").integer(0, kMaxLength);
      if (!content.empty() && id(content) != wanted)
        log().warn("{}: the token \"{}\" gets the id {}, as in `tokenizers`", part.where(), content, id(content));
    }
  }
  if (!config.is_object()) return;
  const std::string config_name = name + ", " + kConfigFile;
  const JsonPart settings(config, config_name);
  const auto decoder_part = part_of(settings, "added_tokens_decoder");
  if (!decoder_part) return;
  std::map<int64_t, AddedToken> by_id;
  for (const auto& item : decoder_part->object().value().items()) {
    const std::string& key = item.key();
    const bool is_number = !key.empty() && key.size() <= 9 && key.find_first_not_of("0123456789") == std::string::npos;
    check<FormatError>(is_number, "{}: expected ids as keys, got \"{}\"", decoder_part->where(), key);
    by_id[std::stoll(key)] = read_added_token(decoder_part->at(key.c_str()));
  }
  for (auto& [number, token] : by_id) added.add(std::move(token), *model);
}

// A special token as its content or as an object.
void PipelineTokenizer::State::add_named(const JsonPart& value) {
  if (value.value().is_object()) {
    AddedToken token = read_added_token(value);
    token.special = true;
    added.add(std::move(token), *model);
    return;
  }
  const std::string& content = value.string();
  if (content.size() > pipeline::kMaxTokenBytes)
    value.refuse("at most " + std::to_string(pipeline::kMaxTokenBytes) + " bytes");
  if (added.find(content)) return added.make_special(content);
  AddedToken token;
  token.content = content;
  token.special = true;
  added.add(std::move(token), *model);
}

void PipelineTokenizer::State::read_special_tokens(const Json& special_names) {
  specials.fill(-1);
  const std::string config_name = name + ", " + kConfigFile, names_name = name + ", " + kNamesFile;
  const Json nothing = Json::object();
  const JsonPart settings(config.is_object() ? config : nothing, config_name);
  const JsonPart others(special_names.is_object() ? special_names : nothing, names_name);
  std::array<std::string, kSpecials> contents;
  for (size_t i = 0; i < kSpecials; ++i) {
    auto value = part_of(settings, kSpecialKeys[i]);
    if (!value) value = part_of(others, kSpecialKeys[i]);
    if (!value) continue;
    add_named(*value);
    contents[i] = value->value().is_object() ? value->string("content") : value->string();
    specials[i] = id(contents[i]);
  }
  for (const JsonPart& part : {settings, others}) {
    for (const char* key : {"extra_special_tokens", "additional_special_tokens"}) {
      const auto list = part_of(part, key);
      if (!list) continue;
      if (list->value().is_array())
        for (size_t i = 0; i < list->size(); ++i) add_named(list->item(i));
      else
        for (const auto& item : list->object().value().items()) add_named(list->at(item.key().c_str()));
    }
  }
  if (specials[kUnk] < 0) {
    const JsonPart part = JsonPart(document, name).at("model");
    if (part.has("unk_token")) specials[kUnk] = id(part.string("unk_token"));
    else if (part.has("unk_id")) specials[kUnk] = static_cast<int32_t>(part.at("unk_id").integer(0, kMaxLength));
  }
  // transformers makes the post-processor anew where these are given.
  if (!settings.has("add_bos_token") && !settings.has("add_eos_token")) return;
  const bool bos = settings.boolean("add_bos_token", false) && specials[kBos] >= 0;
  const bool eos = settings.boolean("add_eos_token", false) && specials[kEos] >= 0;
  const Json made = pipeline::make_bos_eos_template(contents[kBos], bos ? specials[kBos] : -1, contents[kEos],
                                                    eos ? specials[kEos] : -1);
  post_processor = pipeline::make_post_processor(JsonPart(made, config_name));
}

void PipelineTokenizer::State::read_limits() {
  if (!config.is_object()) return;
  const std::string config_name = name + ", " + kConfigFile;
  const JsonPart settings(config, config_name);
  clean_up = settings.boolean("clean_up_tokenization_spaces", false) &&
             (model->allows_clean_up() ||
              settings.boolean("clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output", false));
  if (!settings.has("model_max_length")) return;
  // transformers writes 1e30 for "not limited".
  const double length = settings.at("model_max_length").number();
  if (length < 1) settings.at("model_max_length").refuse("a length of at least 1");
  if (length < static_cast<double>(kMaxLength)) max_length = static_cast<size_t>(length);
}

std::shared_ptr<const PipelineTokenizer> PipelineTokenizer::load(const fs::path& folder) {
  Json config, names;
  if (fs::exists(folder / kConfigFile)) config = read_json(folder / kConfigFile);
  // Folders of transformers 4 and older name their special tokens in a file of their own.
  if (fs::exists(folder / kNamesFile) && !(config.is_object() && config.contains("added_tokens_decoder")))
    names = read_json(folder / kNamesFile);
  auto state = std::make_unique<State>();
  state->name = (folder / kFile).string();
  state->document = read_json(folder / kFile);
  state->config = std::move(config);
  return std::shared_ptr<const PipelineTokenizer>(new PipelineTokenizer([&] {
    state->read(names);
    return std::unique_ptr<const State>(std::move(state));
  }()));
}

std::shared_ptr<const PipelineTokenizer> PipelineTokenizer::from_json(Json document, Json config,
                                                                      const std::string& name) {
  auto state = std::make_unique<State>();
  state->name = name;
  state->document = std::move(document);
  state->config = std::move(config);
  state->read(Json());
  return std::shared_ptr<const PipelineTokenizer>(new PipelineTokenizer(std::move(state)));
}

Json PipelineTokenizer::to_json() const {
  Json document = state_->document;
  state_->model->write(document["model"]);
  return document;
}

void PipelineTokenizer::save(const fs::path& folder) const {
  std::error_code error;
  fs::create_directories(folder, error);
  check<IoError>(!error, "{}: cannot create: {}", folder.string(), error.message());
  write_json(folder / kFile, to_json());
  if (state_->config.is_object()) write_json(folder / kConfigFile, state_->config);
}

}  // namespace heed::text
