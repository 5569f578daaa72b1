#include "heed/models/registry.h"

#include <fmt/ranges.h>

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

}  // namespace

const char* kind_of(const Model& model) {
  return first_kind<Seq2SeqModel, CausalModel, EncoderModel, ImageModel>(model);
}

std::unique_ptr<Model> make_model(const Json& config, const std::string& file, std::optional<uint64_t> seed) {
  return family_of(config, file).make(config, file, seed);
}

std::unique_ptr<Model> load_model(const io::ModelFolder& folder) {
  const std::string file = (folder.path() / "config.json").string();
  const Family& family = family_of(folder.config(), file);
  auto model = family.make(family.resolve(folder.config(), folder), file, std::nullopt);
  model->set_config(folder.config());
  load_weights(model->parameters(), folder, model->weight_rules());
  model->set_generation_config(folder.generation_config());
  return model;
}

std::unique_ptr<Seq2SeqModel> load_seq2seq(const io::ModelFolder& folder) { return load_as<Seq2SeqModel>(folder); }

}  // namespace heed::models
