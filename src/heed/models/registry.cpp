#include "heed/models/registry.h"

#include <fmt/ranges.h>

#include "heed/base/log.h"
#include "heed/io/config_reader.h"
#include "heed/models/bart.h"
#include "heed/models/bert.h"
#include "heed/models/distilbert.h"
#include "heed/models/gpt2.h"
#include "heed/models/llama.h"
#include "heed/models/marian.h"
#include "heed/models/roberta.h"
#include "heed/models/t5.h"
#include "heed/models/vit.h"

namespace heed::models {
namespace {

using Make = std::unique_ptr<Model> (*)(const Json& config, const std::string& file, std::optional<uint64_t> seed);

// What a folder's tensors say beyond its configuration (whether a projection is tied): the configuration to build from.
using Resolve = Json (*)(Json config, const io::ModelFolder& folder);

struct Family {
  std::string_view model_type;
  Make make;
  Resolve resolve = [](Json config, const io::ModelFolder&) { return config; };
};

// One line per family; sorted.
// clang-format off
constexpr Family kFamilies[] = {
    {"bart", make_bart},
    {"bert", make_bert},
    {"distilbert", make_distilbert},
    {"gpt2", make_gpt2},
    {"heed-transformer", make_marian},
    {"llama", make_llama},
    {"marian", make_marian},
    {"roberta", make_roberta},
    {"t5", make_t5, resolve_t5},
    {"vit", make_vit},
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

}  // namespace

const char* kind_of(const Model& model) {
  return first_kind<Seq2SeqModel, CausalModel, EncoderModel, ImageModel>(model);
}

std::vector<std::string> model_types() {
  std::vector<std::string> types;
  for (const Family& family : kFamilies) types.emplace_back(family.model_type);
  return types;
}

std::unique_ptr<Model> make_model(const Json& config, const std::string& file, std::optional<uint64_t> seed) {
  return build(family_of(config, file), config, file, seed);
}

std::unique_ptr<Model> load_model(const io::ModelFolder& folder) {
  const std::string file = (folder.path() / "config.json").string();
  const Family& family = family_of(folder.config(), file);
  Json config = family.resolve(folder.config(), folder);
  auto model = build(family, config, file, std::nullopt);
  model->set_config(folder.config());
  if (ties_are_broken(model->parameters(), folder, model->weight_rules())) {
    // As transformers has it: what the file says goes before what the configuration says.
    log().warn("{}: tie_word_embeddings does not hold for the tensors of this folder; they are read as not tied", file);
    config["tie_word_embeddings"] = false;
    model = build(family, config, file, std::nullopt);
    model->set_config(std::move(config));
    check<FormatError>(!ties_are_broken(model->parameters(), folder, model->weight_rules()),
                       "{}: tensors that are copies of one another hold different numbers", folder.path().string());
  }
  try {
    load_weights(model->parameters(), folder, model->weight_rules());
  } catch (const FormatError& e) {
    fail<FormatError>("{} ({})", e.what(), values_in(model->config()));
  }
  model->set_generation_config(folder.generation_config());
  return model;
}

std::unique_ptr<Seq2SeqModel> load_seq2seq(const io::ModelFolder& folder) { return load_as<Seq2SeqModel>(folder); }

}  // namespace heed::models
