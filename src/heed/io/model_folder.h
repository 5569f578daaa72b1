// ModelFolder: a model on disk, an ordinary Hugging Face folder.
//
//   config.json                       kept whole, so that unknown keys are written back
//   generation_config.json            optional
//   model.safetensors                 or model.safetensors.index.json and the shards that it names
//   anything else                     tokenizer files and the like, found by file()
//
// A folder of low-rank adapters as PEFT writes it (adapter_config.json) stands for the model folder that it names as
// its base: all but adapter() is then the base's.
//
// Only plain names inside the folder are opened, and no link that leaves it; the one exception is the hub's cache,
// whose snapshots/REVISION/ folders link to blobs/ beside them. Immutable once open: many threads may read one.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "heed/base/json.h"
#include "heed/io/safetensors.h"
#include "heed/tensor/tensor.h"

namespace heed::io {

class ModelFolder {
 public:
  // Repairs an interrupted write first (base/files.h recover_folder). Throws FormatError that names what is missing or
  // wrong: no folder, no config.json, no weights, weights in another format, shards that do not fit their index, the
  // base of adapters that is not there.
  static ModelFolder open(const std::filesystem::path& folder);

  const std::filesystem::path& path() const { return path_; }
  // The folder of adapters that was opened; empty if it was a model's own.
  const std::filesystem::path& adapter() const { return adapter_; }
  ModelFolder without_adapter() const;
  const Json& config() const { return config_; }
  const std::optional<Json>& generation_config() const { return generation_config_; }

  // The tensors, in the order of the shards' names and of their data.
  std::vector<std::string> names() const;
  bool contains(std::string_view name) const { return shard_of(name) != nullptr; }
  // As of SafeTensors. FormatError if there is no such tensor.
  TensorInfo info(std::string_view name) const { return shard(name).info(name); }
  TensorView view(std::string_view name) const { return shard(name).view(name); }
  void read(std::string_view name, uint64_t begin, std::span<std::byte> out) const {
    shard(name).read(name, begin, out);
  }
  // A copy. f32, f16 and bf16 convert to each other; DTypeError for any other conversion.
  Tensor load(std::string_view name, DType dtype = DType::kF32) const;
  // Copies tensors to where they shall lie, with as many threads as kernels have, converting as load() does. `to` must
  // have as many elements as the tensor. What is read goes straight to its place, or through a block per thread where
  // it is converted, so that no memory is needed but the places themselves.
  struct Placed {
    std::string name;
    TensorView to;  // host memory
  };
  void load_into(const std::vector<Placed>& tensors) const;

  bool has_file(const std::string& name) const;
  // The path of another file of the folder. FormatError if it is not there or would leave the folder.
  std::filesystem::path file(const std::string& name) const;
  // All files of the folder (not of folders in it), sorted by name.
  std::vector<std::filesystem::path> files() const;

 private:
  void open_weights();
  void open_shards();
  [[noreturn]] void fail_without_weights() const;
  const SafeTensors* shard_of(std::string_view name) const;
  const SafeTensors& shard(std::string_view name) const;

  static ModelFolder open_base_of(const std::filesystem::path& adapter);

  std::filesystem::path path_, adapter_;
  Json config_;
  std::optional<Json> generation_config_;
  std::vector<SafeTensors> shards_;
};

// What makes up a model folder.
inline constexpr uint64_t kMaxShardBytes = uint64_t{50} << 30;  // as transformers 5
struct ModelContent {
  Json config;
  std::optional<Json> generation_config;
  std::vector<NamedView> tensors;
  // Writes whatever else belongs in it (tokenizer files) into the given folder; may be empty.
  std::function<void(const std::filesystem::path& folder)> add_files;
  // Writes what else changes with the weights (adapters); may be empty.
  std::function<void(const std::filesystem::path& folder)> add_weights{};
  // Of tensors in one file; more are written as shards with an index. A tensor is never split.
  uint64_t max_shard_bytes = kMaxShardBytes;
};

// Replaces the folder `target` as a whole and atomically. Throws IoError, after which the old folder stands.
void write_model_folder(const std::filesystem::path& target, const ModelContent& content);

}  // namespace heed::io
