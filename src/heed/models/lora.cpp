#include "heed/models/lora.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "heed/base/random.h"
#include "heed/io/config_reader.h"
#include "heed/io/safetensors.h"
#include "heed/models/parameter_place.h"
#include "heed/models/registry.h"
#include "heed/models/weights.h"
#include "heed/ops/weight.h"
#include "heed/tensor/backends.h"

namespace heed::models {
namespace fs = std::filesystem;
namespace {

constexpr const char* kConfigFile = "adapter_config.json";
constexpr const char* kWeightsFile = "adapter_model.safetensors";
constexpr std::string_view kPrefix = "base_model.model.", kA = ".lora_A.weight", kB = ".lora_B.weight";
// What queries and values are called, or a product of which they are part.
constexpr std::array kUsualTargets{"query", "value", "q_proj", "v_proj", "q_lin", "v_lin", "q", "v", "c_attn"};
constexpr uint32_t kFirstSite = 0x4c6f5241;  // of dropout: above those of models

bool is_adapter(const std::string& name) { return name.ends_with(kA) || name.ends_with(kB); }

std::string last_part(const std::string& name) { return name.substr(name.rfind('.') + 1); }

bool is_one_of(const auto& words, const std::string& word) { return std::ranges::find(words, word) != words.end(); }

// The maps that a configuration names.
std::vector<nn::LinearMap> targets_in(const nn::ParameterStore& parameters, const std::vector<std::string>& wanted) {
  std::vector<nn::LinearMap> found;
  std::set<std::string> missing(wanted.begin(), wanted.end()), known;
  const bool all = wanted.size() == 1 && wanted.front() == "all";
  for (const nn::LinearMap& map : parameters.linear_maps()) {
    if (layer_of(map.name) == kTop) continue;
    const std::string last = last_part(map.name);
    known.insert(last);
    missing.erase(last);
    if (all || (wanted.empty() ? is_one_of(kUsualTargets, last) : is_one_of(wanted, last))) found.push_back(map);
  }
  check<UsageError>(all || missing.empty(), "--lora-targets {}: no linear map is called that; there are {}",
                    fmt::join(missing, ", "), fmt::join(known, ", "));
  check<UsageError>(!found.empty(), "no linear map is a usual target of adapters; there are {}",
                    fmt::join(known, ", "));
  return found;
}

const char* task_type(const Model& model) {
  if (dynamic_cast<const Seq2SeqModel*>(&model)) return "SEQ_2_SEQ_LM";
  if (dynamic_cast<const CausalModel*>(&model)) return "CAUSAL_LM";
  const auto* encoder = dynamic_cast<const EncoderModel*>(&model);
  switch (encoder ? encoder->head() : Head::kMaskedLM) {
    case Head::kSequenceClassification: return "SEQ_CLS";
    case Head::kTokenClassification: return "TOKEN_CLS";
    case Head::kQuestionAnswering: return "QUESTION_ANS";
    case Head::kNone: return "FEATURE_EXTRACTION";
    default: return nullptr;
  }
}

// The configuration, what Heed does not know refused.
Json read_config(const fs::path& folder) {
  const std::string file = (folder / kConfigFile).string();
  Json config = read_json(folder / kConfigFile);
  const io::ConfigReader reader(config, file);
  check<ConfigError>(reader.require_string("peft_type") == "LORA", "{}: peft_type is {}; Heed reads LORA", file,
                     config["peft_type"].dump());
  for (const char* key : {"use_dora", "lora_bias", "use_qalora"}) reader.allow_only(key, false);
  return config;
}

// What the product is multiplied by, PEFT's rule: alpha / rank or, with rslora, alpha / sqrt(rank).
float scale_of(const io::ConfigReader& config, const std::string& map, int64_t rank) {
  double alpha = config.require<double>("lora_alpha", 0, 1e6);
  if (const Json* pattern = config.find("alpha_pattern"))
    for (const auto& [name, value] : pattern->items())
      if ((map == name || map.ends_with("." + name)) && value.is_number()) alpha = value.get<double>();
  const auto r = static_cast<double>(rank);
  return static_cast<float>(alpha / (config.get_or("use_rslora", false) ? std::sqrt(r) : r));
}

// A tensor of the folder as f32. FormatError if it has another shape.
Tensor read_tensor(const io::SafeTensors& file, const std::string& name, const Shape& shape) {
  const TensorView view = file.view(std::string(kPrefix) + name);
  check<FormatError>(view.shape == shape, "{}: tensor \"{}\" has shape {}; the model asks for {}", file.path().string(),
                     name, view.shape.to_string(), shape.to_string());
  Tensor tensor = Tensor::empty(shape);
  backend(tensor.device()).copy(view, tensor.view());
  return tensor;
}

// The head that a task's adapters need; kNone: that of the model.
Head head_of(const io::ConfigReader& config) {
  const std::string task = config.get_or("task_type", "");
  return task == "SEQ_CLS"        ? Head::kSequenceClassification
         : task == "TOKEN_CLS"    ? Head::kTokenClassification
         : task == "QUESTION_ANS" ? Head::kQuestionAnswering
                                  : Head::kNone;
}

// How many labels a classifier has that lies in the folder whole: the rows of its last matrix.
int64_t label_count(const io::SafeTensors& file) {
  for (const char* name : {"classifier.out_proj.weight", "classifier.weight", "classification_head.out_proj.weight"})
    if (const std::string full = std::string(kPrefix) + name; file.contains(full)) return file.info(full).shape.at(0);
  return 0;
}

}  // namespace

std::unique_ptr<Model> load_merged(const io::ModelFolder& base, const fs::path& adapter, const LoadOptions& options) {
  const DType matrices = options.matrices.value_or(DType::kF32);
  check<UsageError>(matrices == DType::kF32,
                    "{}: adapters are merged in f32; for matrices in {} write the merged model first: heed convert "
                    "--model {} --adapter {}",
                    adapter.string(), name_of(matrices), base.path().string(), adapter.string());
  const Json json = read_config(adapter);
  NewModel wanted;
  wanted.head = head_of(io::ConfigReader(json, (adapter / kConfigFile).string()));
  const int64_t labels = label_count(io::SafeTensors::open(adapter / kWeightsFile));
  for (const auto& [key, id] : {std::pair{"pad_token_id", &wanted.ids.pad},
                                {"bos_token_id", &wanted.ids.bos},
                                {"eos_token_id", &wanted.ids.eos}})
    if (base.config().contains(key) && base.config()[key].is_number_integer()) *id = base.config()[key].get<int32_t>();
  std::unique_ptr<Model> model = load_model(base, {options.inference, matrices});
  const auto* encoder = dynamic_cast<const EncoderModel*>(model.get());
  std::vector<std::string> fresh;
  if (wanted.head != Head::kNone && (!encoder || encoder->head() != wanted.head)) {
    for (int64_t i = 0; i < labels; ++i) wanted.labels.push_back(fmt::format("LABEL_{}", i));
    WithHead made = load_with_head(base, wanted, 1);
    model = std::move(made.model);
    fresh = std::move(made.fresh);
  }
  Lora lora(*model, adapter);
  for (const std::string& name : fresh)
    check<FormatError>(is_one_of(lora.whole(), name), "{}: neither the adapters nor {} have \"{}\"", adapter.string(),
                       base.path().string(), name);
  lora.merge();
  return model;
}

std::vector<std::string> head_parameters(const Model& model) {
  const auto* encoder = dynamic_cast<const EncoderModel*>(&model);
  const bool has = encoder ? encoder->head() != Head::kNone && encoder->head() != Head::kMaskedLM
                           : dynamic_cast<const ImageModel*>(&model) != nullptr;
  const std::string prefix = model.weight_rules().base_prefix;
  std::vector<std::string> names;
  for (const auto& [name, tensor] : model.parameters().named())
    if (has && !prefix.empty() && !name.starts_with(prefix)) names.push_back(name);
  return names;
}

Lora::Lora(Model& model, const LoraConfig& config, const std::vector<std::string>& trained, uint64_t seed)
    : model_(model), config_(config), trained_(trained) {
  nn::ParameterStore& parameters = model.parameters();
  const auto targets = targets_in(parameters, config.targets);
  config_.targets.clear();
  parameters.reopen();
  Random random(seed, 0, kFirstSite);
  for (const nn::LinearMap& map : targets) {
    const int64_t in = map.weight.in_features();
    Part part{map.name, map, parameters.create({map.name + std::string(kA)}, {config.rank, in}),
              parameters.create({map.name + std::string(kB)}, {map.count, config.rank}),
              static_cast<float>(config.alpha / config.rank)};
    // Kaiming's uniform values for sqrt(5), which PyTorch's linear maps begin with.
    const double limit = 1 / std::sqrt(static_cast<double>(in));
    for (int64_t i = 0; i < part.a.numel(); ++i)
      part.a.data<float>()[i] = static_cast<float>((2 * random.uniform() - 1) * limit);
    backend(part.b.device()).fill(part.b.view(), 0);
    if (!is_one_of(config_.targets, last_part(map.name))) config_.targets.push_back(last_part(map.name));
    parts_.push_back(std::move(part));
  }
  parameters.flatten();
  parameters.set_rates(
      [&](const std::string& name) { return is_adapter(name) || is_one_of(trained_, name) ? 1.0 : 0.0; });
  attach(config.dropout);
}

Lora::Lora(Model& model, const fs::path& folder) : model_(model) {
  const Json json = read_config(folder);
  const io::ConfigReader config(json, (folder / kConfigFile).string());
  const io::SafeTensors file = io::SafeTensors::open(folder / kWeightsFile);
  for (const std::string& name : file.names()) {
    check<FormatError>(name.starts_with(kPrefix), "{}: tensor \"{}\" does not begin with \"{}\"", file.path().string(),
                       name, kPrefix);
    const std::string inner = name.substr(kPrefix.size());
    if (inner.ends_with(kA)) read_part(file, inner.substr(0, inner.size() - kA.size()), config);
    else if (!inner.ends_with(kB)) read_whole(file, inner);
  }
  check<FormatError>(!parts_.empty(), "{}: holds no adapter", file.path().string());
  config_.rank = static_cast<int>(parts_.front().a.dim(0));
  config_.alpha = parts_.front().alpha();
  model.parameters().values_changed();
  attach(0);
}

// The adapter of a linear map, by the name that the folder has for it.
void Lora::read_part(const io::SafeTensors& file, const std::string& name, const io::ConfigReader& config) {
  const auto parameter = parameter_for(model_.parameters(), model_.weight_rules(), name + ".weight");
  const auto& maps = model_.parameters().linear_maps();
  const auto map = std::ranges::find_if(maps, [&](const nn::LinearMap& m) { return m.name + ".weight" == parameter; });
  check<FormatError>(map != maps.end(), "{}: adapts \"{}\", which is no linear map of the model", file.path().string(),
                     name);
  const auto shape = file.info(std::string(kPrefix) + name + std::string(kA)).shape;
  const int64_t rank = shape.empty() ? 0 : shape.front();
  Part part{map->name, *map, read_tensor(file, name + std::string(kA), {rank, map->weight.in_features()}),
            read_tensor(file, name + std::string(kB), {map->count, rank}), scale_of(config, name, rank)};
  parts_.push_back(std::move(part));
}

// A parameter that was trained whole.
void Lora::read_whole(const io::SafeTensors& file, const std::string& name) {
  const auto parameter = parameter_for(model_.parameters(), model_.weight_rules(), name);
  check<FormatError>(parameter.has_value(), "{}: tensor \"{}\" belongs to nothing in the model", file.path().string(),
                     name);
  for (const auto& [known, tensor] : model_.parameters().named())
    if (known == *parameter)
      backend(tensor.device()).copy(read_tensor(file, name, tensor.shape()).view(), tensor.view());
  trained_.push_back(*parameter);
}

// Each matrix's adapters go to its weight.
void Lora::attach(float dropout) {
  std::map<const TensorBody*, std::vector<ops::Adapter>> of_matrix;
  uint32_t site = kFirstSite;
  for (const Part& part : parts_)
    of_matrix[part.map.weight.master().body().get()].push_back(
        {part.map.first, part.map.count, ops::Weight(part.a), ops::Weight(part.b), part.scale, dropout, site++});
  for (auto& [body, adapters] : of_matrix) std::ranges::sort(adapters, {}, &ops::Adapter::first);
  for (const Part& part : parts_) part.map.weight.set_adapters(of_matrix[part.map.weight.master().body().get()]);
}

// matrix += scale B A, in the map's rows, or columns if it is stored [in, out]
void Lora::add(const Part& part, const Tensor& matrix) const {
  Backend& on = backend(matrix.device());
  const auto [first, count] = std::pair{part.map.first, part.map.count};
  if (part.map.weight.transposed())
    on.gemm(part.a.view(), true, part.b.view(), true, part.scale, true, matrix.slice_columns(first, count).view());
  else on.gemm(part.b.view(), false, part.a.view(), false, part.scale, true, matrix.slice_rows(first, count).view());
}

void Lora::merge() {
  for (const Part& part : parts_) {
    add(part, part.map.weight.master());
    part.map.weight.set_adapters({});
  }
  model_.parameters().values_changed();
  parts_.clear();
}

std::vector<io::NamedView> Lora::merged() {
  std::map<const TensorBody*, Tensor> matrices;
  for (const Part& part : parts_) {
    const Tensor& master = part.map.weight.master();
    Tensor& matrix = matrices[master.body().get()];
    if (!matrix.defined()) matrix = master.clone();
    add(part, matrix);
  }
  std::vector<io::NamedView> views;
  for (const auto& [name, tensor] : model_.parameters().named()) {
    if (is_adapter(name)) continue;
    const auto at = matrices.find(tensor.body().get());
    views.push_back(named_view(name, at == matrices.end() ? tensor : tensor.same_window(at->second.body())));
  }
  merged_.clear();
  for (const auto& [body, matrix] : matrices) merged_.push_back(matrix);
  return views;
}

// PEFT takes each module whose name ends so: the last parts alone, unless that would be more than are adapted.
std::vector<std::string> Lora::target_names() const {
  std::set<std::string> adapted, last, names;
  for (const Part& part : parts_) {
    adapted.insert(part.name);
    last.insert(last_part(part.name));
  }
  bool too_many = false;
  for (const nn::LinearMap& map : model_.parameters().linear_maps())
    too_many |= last.contains(last_part(map.name)) && !adapted.contains(map.name);
  names = too_many ? adapted : last;
  return {names.begin(), names.end()};
}

void Lora::write(const fs::path& folder, const std::string& base) const {
  std::set<std::string> whole;
  for (const std::string& name : trained_) whole.insert(name.substr(0, name.rfind('.')));
  const char* task = task_type(model_);
  const bool transposed = std::ranges::any_of(parts_, [](const Part& part) { return part.map.weight.transposed(); });
  // What differs from the rest, by module.
  Json ranks = Json::object(), alphas = Json::object();
  for (const Part& part : parts_) {
    if (part.a.dim(0) != config_.rank) ranks[part.name] = part.a.dim(0);
    if (std::abs(part.alpha() - config_.alpha) > 1e-6 * config_.alpha) alphas[part.name] = part.alpha();
  }
  fs::create_directories(folder);
  write_json(folder / kConfigFile, {{"base_model_name_or_path", base},
                                    {"bias", "none"},
                                    {"fan_in_fan_out", transposed},
                                    {"inference_mode", true},
                                    {"init_lora_weights", true},
                                    {"alpha_pattern", alphas},
                                    {"lora_alpha", config_.alpha},
                                    {"lora_dropout", std::stod(fmt::format("{}", config_.dropout))},
                                    {"modules_to_save", whole.empty() ? Json() : Json(whole)},
                                    {"peft_type", "LORA"},
                                    {"r", config_.rank},
                                    {"rank_pattern", ranks},
                                    {"target_modules", target_names()},
                                    {"task_type", task ? Json(task) : Json()},
                                    {"use_dora", false},
                                    {"use_rslora", false}});
  std::vector<io::NamedView> tensors;
  for (const Part& part : parts_) {
    tensors.push_back(named_view(fmt::format("{}{}{}", kPrefix, part.name, kA), part.a));
    tensors.push_back(named_view(fmt::format("{}{}{}", kPrefix, part.name, kB), part.b));
  }
  for (const auto& [name, tensor] : model_.parameters().named())
    if (is_one_of(trained_, name)) tensors.push_back(named_view(fmt::format("{}{}", kPrefix, name), tensor));
  io::write_safetensors(folder / kWeightsFile, tensors);
}

}  // namespace heed::models
