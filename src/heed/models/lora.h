// Low-rank adapters: fine-tuning that leaves a model's matrices as they are and learns, for some of them, the product
// of two small ones that is added (Hu et al. 2021, "LoRA", section 4.1):
//
//   y = x W^T + (alpha / rank) dropout(x) A^T B^T        A [rank, in], B [out, rank]
//
// On disk they are a folder as PEFT writes it: adapter_config.json and adapter_model.safetensors, whose tensors are
// "base_model.model.NAME.lora_A.weight", "….lora_B.weight", and, for what was trained whole beside them (a head),
// "base_model.model." and the parameter's name.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "heed/io/config_reader.h"
#include "heed/io/model_folder.h"
#include "heed/models/interface.h"

namespace heed::models {

struct LoraConfig {
  int rank = 0;  // 0: no adapters
  double alpha = 16;
  float dropout = 0;
  // The last parts of the names of linear maps; none: queries' and values', as PEFT chooses; "all": all in layers.
  std::vector<std::string> targets;
};

// The adapters of one model, which must outlive them.
class Lora {
 public:
  // New ones: A uniform as PEFT draws it, B 0, so that at first they change nothing. All other parameters are frozen
  // but `trained`. Throws UsageError for a target that no linear map is called.
  Lora(Model& model, const LoraConfig& config, const std::vector<std::string>& trained, uint64_t seed);
  // Those of a folder; parameters that lie there whole are put in their place. Throws what reading throws, FormatError
  // for a tensor that does not fit the model, ConfigError for what Heed does not know (another method than LoRA, DoRA,
  // adapters of embeddings).
  Lora(Model& model, const std::filesystem::path& folder);

  // Adds what the adapters give to the matrices, and takes the adapters away.
  void merge();
  // The model's parameters as they would be then, to be written. Lives until the next call.
  std::vector<io::NamedView> merged();

  // The parameters that are trained whole, or lay in the folder whole.
  const std::vector<std::string>& whole() const { return trained_; }

  // Writes the folder's two files. `base`: where the model came from, for the configuration.
  void write(const std::filesystem::path& folder, const std::string& base) const;

 private:
  struct Part {
    std::string name;  // of the linear map
    nn::LinearMap map;
    Tensor a, b;  // [rank, in], [out, rank]
    float scale = 1;
    double alpha() const { return static_cast<double>(scale) * static_cast<double>(a.dim(0)); }
  };

  void read_part(const io::SafeTensors& file, const std::string& name, const io::ConfigReader& config);
  void read_whole(const io::SafeTensors& file, const std::string& name);
  std::vector<std::string> target_names() const;
  void attach(float dropout);
  void add(const Part& part, const Tensor& matrix) const;

  Model& model_;
  LoraConfig config_;
  std::vector<Part> parts_;
  std::vector<std::string> trained_;
  std::vector<Tensor> merged_;
};

// The model in `base` with the adapters in `adapter` merged into it; a head that the folder lacks and the adapters have
// is laid on it. They are merged in f32: UsageError if the options ask for matrices in bf16. Throws as Lora() and
// load_with_head().
std::unique_ptr<Model> load_merged(const io::ModelFolder& base, const std::filesystem::path& adapter,
                                   const LoadOptions& options = {});

// The parameters that a fine-tuning by adapters trains whole: those of a head that the task needs.
std::vector<std::string> head_parameters(const Model& model);

}  // namespace heed::models
