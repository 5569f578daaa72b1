// Adapters that PEFT made (tools/record_goldens/lora.py) give with our models what they give there; merged and not
// merged they are the same; written again they are the files that they were.
#include "heed/models/lora.h"

#include <gmock/gmock.h>

#include <fstream>

#include "golden.h"
#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/models/registry.h"
#include "heed/models/save.h"
#include "shared_files.h"

namespace heed::models {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr const char* kCases[] = {"bert_several_labels",  "distilbert_tag", "gpt2_unscaled_untied",
                                  "llama_rope_linear_v4", "t5_gated_silu",  "bart_uneven_sharded",
                                  "vit_no_qkv_bias",      "marian_separate"};

fs::path adapter_folder(const std::string& name) { return testing::source_path("tests/golden/lora") / name; }

std::unique_ptr<Model> base_of(const std::string& name) {
  return load_model(io::ModelFolder::open(testing::source_path("tests/golden/models") / name));
}

Ragged row_of(const io::SafeTensors& file, const std::string& name) {
  Ragged ids;
  std::vector<int32_t> row;
  const TensorView view = file.view(name);
  for (int64_t i = 0; i < view.shape.numel(); ++i) row.push_back(static_cast<int32_t>(view.as<int64_t>()[i]));
  ids.append(row);
  return ids;
}

// What the model gives for the recorded inputs.
Tensor logits_of(const Model& model, const io::SafeTensors& file) {
  const NoGrad no_grad;
  if (const auto* image = dynamic_cast<const ImageModel*>(&model)) {
    const TensorView pixels = file.view("pixel_values");
    Tensor copy = Tensor::empty(pixels.shape);
    backend().copy(pixels, copy.view());
    return image->logits({copy}, {});
  }
  const Ragged ids = row_of(file, "input_ids");
  if (const auto* encoder = dynamic_cast<const EncoderModel*>(&model)) return encoder->logits({ids, {}, {}, {}}, {});
  if (const auto* causal = dynamic_cast<const CausalModel*>(&model)) return causal->logits({ids, {}, {}, {}}, {});
  return dynamic_cast<const Seq2SeqModel&>(model).logits({ids, row_of(file, "labels"), {}}, {});
}

double largest_difference(const Tensor& a, const TensorView& b) {
  double most = 0;
  EXPECT_EQ(a.numel(), b.shape.numel());
  for (int64_t i = 0; i < a.numel(); ++i)
    most = std::max(most, std::abs(static_cast<double>(a.data<float>()[i]) - b.as<float>()[i]));
  return most;
}

std::string reason_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(Lora, AdaptersOfPeftGiveWhatTheyGiveThere) {
  for (const std::string name : kCases) {
    SCOPED_TRACE(name);
    const io::SafeTensors file = io::SafeTensors::open(adapter_folder(name) / "outputs.safetensors");
    const auto model = base_of(name);
    const Tensor plain = logits_of(*model, file);
    Lora lora(*model, adapter_folder(name));
    const Tensor adapted = logits_of(*model, file);
    EXPECT_GT(largest_difference(adapted, plain.view()), 1e-2);
    EXPECT_LT(largest_difference(adapted, file.view("logits")), 2e-5);
    // As they would be written, and in place.
    const std::vector<io::NamedView> merged_views = lora.merged();
    std::vector<std::pair<std::string, std::vector<float>>> values;
    for (const auto& view : merged_views) {
      const Tensor copy = Tensor::empty(view.view.shape);
      backend().copy(view.view, copy.view());
      values.emplace_back(view.name, copy.to_vector<float>());
    }
    lora.merge();
    EXPECT_LT(largest_difference(logits_of(*model, file), adapted.view()), 1e-5);
    for (const auto& [parameter, expected] : values)
      for (const auto& [other, tensor] : model->parameters().named())
        EXPECT_TRUE(parameter != other || tensor.to_vector<float>() == expected) << parameter;
    EXPECT_EQ(values.size(), model->parameters().named().size());
  }
}

TEST(Lora, TheFolderIsWrittenAsPeftWritesIt) {
  const testing::TemporaryFolder folder;
  for (const std::string name : kCases) {
    SCOPED_TRACE(name);
    const auto model = base_of(name);
    Lora(*model, adapter_folder(name)).write(folder / name, "base");
    const Json ours = read_json(folder / name / "adapter_config.json"),
               theirs = read_json(adapter_folder(name) / "adapter_config.json");
    for (const char* key : {"peft_type", "bias", "fan_in_fan_out", "use_dora", "inference_mode"})
      EXPECT_EQ(ours[key], theirs[key]) << key;
    EXPECT_EQ(ours["base_model_name_or_path"], "base");
    const auto tensors = [&](const fs::path& from) {
      std::map<std::string, std::vector<int64_t>> shapes;
      const io::SafeTensors file = io::SafeTensors::open(from / "adapter_model.safetensors");
      for (const std::string& tensor : file.names()) shapes[tensor] = file.info(tensor).shape;
      return shapes;
    };
    // transformers 5 calls the parts of an image model otherwise in memory than in files.
    EXPECT_TRUE(name == "vit_no_qkv_bias" || tensors(folder / name) == tensors(adapter_folder(name)));
    // And it is read back as it was.
    const io::SafeTensors outputs = io::SafeTensors::open(adapter_folder(name) / "outputs.safetensors");
    const auto again = base_of(name);
    const Lora read(*again, folder / name);
    EXPECT_LT(largest_difference(logits_of(*again, outputs), outputs.view("logits")), 2e-5);
  }
}

TEST(Lora, NewAdaptersChangeNothingAndAreTrainedAlone) {
  for (const std::string name : kCases) {
    SCOPED_TRACE(name);
    const io::SafeTensors file = io::SafeTensors::open(adapter_folder(name) / "outputs.safetensors");
    const auto model = base_of(name);
    const Tensor plain = logits_of(*model, file);
    const auto head = head_parameters(*model);
    LoraConfig config;
    config.rank = 2;
    const Lora lora(*model, config, head, 5);
    EXPECT_EQ(logits_of(*model, file).to_vector<float>(), plain.to_vector<float>());
    int adapters = 0;
    for (const auto& [parameter, tensor] : model->parameters().named()) {
      const bool adapter = parameter.ends_with(".lora_A.weight") || parameter.ends_with(".lora_B.weight");
      const bool whole = std::ranges::find(head, parameter) != head.end();
      adapters += adapter;
      EXPECT_TRUE(!tensor.body()->grad || tensor.requires_grad() == (adapter || whole)) << parameter;
    }
    EXPECT_GT(adapters, 0);
  }
}

TEST(Lora, EveryTargetAndOptionCounts) {
  const auto names = [](const LoraConfig& config) {
    const auto model = base_of("bert_several_labels");
    const Lora lora(*model, config, {}, 5);
    std::vector<std::string> found;
    for (const auto& [parameter, tensor] : model->parameters().named())
      if (parameter.ends_with(".lora_A.weight")) found.push_back(parameter + tensor.shape().to_string());
    return found;
  };
  LoraConfig config;
  config.rank = 2;
  const auto usual = names(config);
  config.targets = {"query", "value"};
  EXPECT_EQ(names(config), usual);
  config.targets = {"key"};
  EXPECT_EQ(2 * names(config).size(), usual.size());
  config.targets = {"all"};
  EXPECT_EQ(names(config).size(), 3 * usual.size());
  config.rank = 3;
  EXPECT_NE(names(config), usual);
  config.targets = {"query", "nothing"};
  EXPECT_THAT(reason_of([&] { names(config); }),
              HasSubstr("--lora-targets nothing: no linear map is called that; there are dense, key, query, value"));
}

TEST(Lora, RefusesWhatItDoesNotKnow) {
  const testing::TemporaryFolder folder;
  const auto reason = [&](const std::function<void(Json&)>& change, const std::string& base = "bert_several_labels") {
    fs::copy(adapter_folder("bert_several_labels"), folder.path(),
             fs::copy_options::overwrite_existing | fs::copy_options::recursive);
    Json config = read_json(folder / "adapter_config.json");
    change(config);
    write_json(folder / "adapter_config.json", config);
    return reason_of([&] { Lora(*base_of(base), folder.path()); });
  };
  EXPECT_EQ(reason([](Json&) {}), "no error");
  EXPECT_THAT(reason([](Json& c) { c["peft_type"] = "IA3"; }), HasSubstr("peft_type is \"IA3\"; Heed reads LORA"));
  EXPECT_THAT(reason([](Json& c) { c["use_dora"] = true; }), HasSubstr("use_dora"));
  EXPECT_THAT(reason([](Json& c) { c.erase("lora_alpha"); }), HasSubstr("lora_alpha"));
  EXPECT_THAT(reason([](Json&) {}, "gpt2_unscaled_untied"), HasSubstr("which is no linear map of the model"));
}

TEST(LoadMerged, LaysTheHeadOfTheAdaptersOnTheBody) {
  const auto base = testing::source_path("tests/golden/models") / "bert_mlm_untied";
  const testing::TemporaryFolder folder;
  NewModel wanted;
  wanted.head = Head::kTokenClassification;
  wanted.labels = {"O", "B-X", "I-X"};
  WithHead made = load_with_head(io::ModelFolder::open(base), wanted, 3);
  LoraConfig config;
  config.rank = 2;
  const Lora lora(*made.model, config, made.fresh, 5);
  lora.write(folder / "adapter", base.string());
  const auto merged = load_merged(io::ModelFolder::open(base), folder / "adapter");
  const auto& encoder = dynamic_cast<const EncoderModel&>(*merged);
  EXPECT_EQ(encoder.head(), Head::kTokenClassification);
  EXPECT_EQ(encoder.labels().size(), 3u);
  const TextBatch batch{
      row_of(io::SafeTensors::open(adapter_folder("distilbert_tag") / "outputs.safetensors"), "input_ids"), {}, {}, {}};
  const Tensor logits = encoder.logits(batch, {});
  EXPECT_LT(largest_difference(dynamic_cast<const EncoderModel&>(*made.model).logits(batch, {}), logits.view()), 1e-5);
}

}  // namespace
}  // namespace heed::models
