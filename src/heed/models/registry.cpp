#include "heed/models/registry.h"

#include <fmt/ranges.h>

#include "heed/base/log.h"
#include "heed/io/config_reader.h"
#include "heed/models/bart.h"
#include "heed/models/bert.h"
#include "heed/models/distilbert.h"
#include "heed/models/gpt2.h"
#include "heed/models/llama.h"
#include "heed/models/lora.h"
#include "heed/models/marian.h"
#include "heed/models/pretraining.h"
#include "heed/models/roberta.h"
#include "heed/models/t5.h"
#include "heed/models/vit.h"

namespace heed::models {
namespace {

using Make = std::unique_ptr<Model> (*)(const Json& config, const std::string& file, std::optional<uint64_t> seed);

using NewConfig = Json (*)(const NewModel& wanted);

struct Family {
  std::string_view model_type;
  Kind kind;
  Make make;
  NewConfig new_config = nullptr;  // nullptr: new models are made otherwise (tasks/presets.h)
  const char* tokenizer = "";      // the usual kind
  bool pretrains_on_spans = false;
};

// One line per family; sorted.
// clang-format off
constexpr Family kFamilies[] = {
    {"bart", Kind::kSeq2Seq, make_bart, new_bart, "unigram"},
    {"bert", Kind::kEncoder, make_bert, new_bert, "wordpiece"},
    {"distilbert", Kind::kEncoder, make_distilbert, new_distilbert, "wordpiece"},
    {"gpt2", Kind::kCausal, make_gpt2, new_gpt2, "byte-bpe"},
    {"heed-transformer", Kind::kSeq2Seq, make_marian},
    {"llama", Kind::kCausal, make_llama, new_llama, "byte-bpe"},
    {"marian", Kind::kSeq2Seq, make_marian},
    {"roberta", Kind::kEncoder, make_roberta, new_roberta, "wordpiece"},
    {"t5", Kind::kSeq2Seq, make_t5, new_t5, "unigram", true},
    {"vit", Kind::kImage, make_vit, new_vit},
};
// clang-format on

// What a configuration says but in words: one of these values it is that does not fit the tensors or the others.
std::string values_in(const Json& config) {
  std::string text;
  for (const auto& [key, value] : config.items())
    if (!value.is_string() && !(value.is_object() && !value.empty()))
      text += fmt::format("{}{} {}", text.empty() ? "config.json: " : ", ", key, value.dump());
  return text;
}

template <class... Interfaces>
const char* first_kind(const Model& model) {
  const char* kind = nullptr;
  ((kind = kind == nullptr && dynamic_cast<const Interfaces*>(&model) ? Interfaces::kKind : kind), ...);
  return kind ? kind : "a model of another kind";
}

const Family& family_of(const Json& config, const std::string& file) {
  const std::string type = io::ConfigReader(config, file).require_string("model_type");
  std::vector<std::string_view> known;
  for (const Family& family : kFamilies) {
    if (family.model_type == type) return family;
    known.push_back(family.model_type);
  }
  fail<ConfigError>("{}: model_type is \"{}\"; Heed reads {}", file, type, fmt::join(known, ", "));
}

// The family's model. What contradicts what may be far from where it is found, so an error shows all values.
std::unique_ptr<Model> build(const Family& family, const Json& config, const std::string& file,
                             std::optional<uint64_t> seed) {
  try {
    return family.make(config, file, seed);
  } catch (const ConfigError& e) {
    fail<ConfigError>("{} ({})", e.what(), values_in(config));
  }
}

// Whether a model without a head has a pooler that the folder knows nothing of.
bool lacks_pooler(const nn::ParameterStore& parameters, const io::ModelFolder& folder, const WeightRules& rules) {
  const auto sources = sources_of(parameters, folder, rules);
  bool has_one = false;
  for (const auto& [name, tensor] : parameters.named()) {
    if (!name.starts_with("pooler.")) continue;
    if (sources.contains(name)) return false;
    has_one = true;
  }
  return has_one;
}

// The family's model as the folder's tensors ask for it: what they say goes before the configuration, as in
// transformers. Matrices that are tied but differ are not tied; a pooler that the folder lacks is left away.
std::unique_ptr<Model> build_for(const io::ModelFolder& folder, const Family& family, const Json& config,
                                 const std::string& file, std::optional<uint64_t> seed) {
  auto model = build(family, config, file, seed);
  Json resolved = model->config();
  const bool untied = ties_are_broken(model->parameters(), folder, model->weight_rules());
  if (untied) {
    log().warn("{}: tie_word_embeddings does not hold for the tensors of this folder; they are read as not tied", file);
    resolved["tie_word_embeddings"] = false;
  }
  if (lacks_pooler(model->parameters(), folder, model->weight_rules())) resolved["add_pooling_layer"] = false;
  if (resolved != model->config()) model = build(family, resolved, file, seed);
  check<FormatError>(!untied || !ties_are_broken(model->parameters(), folder, model->weight_rules()),
                     "{}: tensors that are copies of one another hold different numbers", folder.path().string());
  model->set_config(config);
  return model;
}

}  // namespace

const char* kind_of(const Model& model) {
  return first_kind<Seq2SeqModel, CausalModel, EncoderModel, ImageModel>(model);
}

std::vector<std::string> model_types() {
  std::vector<std::string> types;
  for (const Family& family : kFamilies) types.emplace_back(family.model_type);
  return types;
}

std::vector<std::string> families_of(Kind kind) {
  std::vector<std::string> names;
  for (const Family& family : kFamilies)
    if (family.kind == kind && family.new_config) names.emplace_back(family.model_type);
  return names;
}

Json new_config(const std::string& name, const NewModel& wanted) {
  check_sizes(wanted);
  const Family& family = family_of(Json{{"model_type", name}}, "--family");
  check<UsageError>(family.new_config != nullptr, "new models of the family {} are made by \"train translation\"",
                    name);
  return family.new_config(wanted);
}

bool pretrains_on_spans(const std::string& name) {
  return family_of(Json{{"model_type", name}}, "--family").pretrains_on_spans;
}

std::string usual_tokenizer(const std::string& name) {
  return family_of(Json{{"model_type", name}}, "--family").tokenizer;
}

std::unique_ptr<Model> make_model(const Json& config, const std::string& file, std::optional<uint64_t> seed) {
  return build(family_of(config, file), config, file, seed);
}

namespace {

std::unique_ptr<Model> load_alone(const io::ModelFolder& folder, const LoadOptions& options) {
  const std::string file = (folder.path() / "config.json").string();
  const Family& family = family_of(folder.config(), file);
  auto model = build_for(folder, family, folder.config(), file, std::nullopt);
  try {
    load_weights(model->parameters(), folder, model->weight_rules(), options);
  } catch (const FormatError& e) {
    fail<FormatError>("{} ({})", e.what(), values_in(model->config()));
  }
  model->set_generation_config(folder.generation_config());
  return model;
}

}  // namespace

std::unique_ptr<Model> load_model(const io::ModelFolder& folder, const LoadOptions& options) {
  std::unique_ptr<Model> model = folder.adapter().empty()
                                     ? load_alone(folder, options)
                                     : load_merged(folder.without_adapter(), folder.adapter(), options);
  if (!options.device.is_host()) model->parameters().move_to(options.device);
  return model;
}

WithHead load_with_head(const io::ModelFolder& folder, const NewModel& wanted, uint64_t seed) {
  check<UsageError>(folder.adapter().empty(),
                    "{}: holds adapters; merge them first: heed convert --model {} --adapter {}",
                    folder.adapter().string(), folder.path().string(), folder.adapter().string());
  const std::string file = (folder.path() / "config.json").string();
  const Family& family = family_of(folder.config(), file);
  Json config = folder.config();
  if (family.new_config) {
    NewModel similar = wanted;
    const auto pad = config.find("pad_token_id");
    if (similar.ids.pad < 0 && pad != config.end() && pad->is_number_integer()) similar.ids.pad = pad->get<int32_t>();
    const Json like = family.new_config(similar);
    config["architectures"] = like.at("architectures");
    if (!wanted.labels.empty()) write_classes(config, wanted.labels, wanted.problem);
    if (wanted.dropout)
      for (const auto& [key, value] : like.items())
        if (key.find("drop") != std::string::npos) config[key] = value;
  }
  WithHead result;
  result.model = build_for(folder, family, config, file, seed);
  result.fresh = load_body(result.model->parameters(), folder, result.model->weight_rules());
  result.model->set_generation_config(folder.generation_config());
  return result;
}

std::unique_ptr<Seq2SeqModel> load_seq2seq(const io::ModelFolder& folder, const LoadOptions& options) {
  return load_as<Seq2SeqModel>(folder, options);
}

}  // namespace heed::models
