#include "heed/io/model_folder.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <map>
#include <mutex>
#include <set>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/threads.h"
#include "heed/io/safetensors_header.h"
#include "heed/tensor/backends.h"

namespace heed::io {
namespace fs = std::filesystem;
namespace {

constexpr const char* kWeights = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";
constexpr const char* kAdapterConfig = "adapter_config.json";

bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

// Whether `file` (canonical) may belong to `folder` (canonical): it lies directly in it, or both are of one model in
// the hub's cache.
bool belongs(const fs::path& file, const fs::path& folder) {
  if (file.parent_path() == folder) return true;
  const fs::path model = folder.parent_path().parent_path();
  return folder.parent_path().filename() == "snapshots" && file.parent_path() == model / "blobs";
}

// The path of an ordinary file `name` in `folder`, links resolved; nothing if there is none.
std::optional<fs::path> file_in(const fs::path& folder, const std::string& name) {
  check<FormatError>(is_plain_name(name), "{}: {} is not the name of a file in this folder", folder.string(),
                     in_quotes(name));
  std::error_code error;
  const fs::path root = fs::canonical(folder, error), file = fs::canonical(folder / name, error);
  if (error || !fs::is_regular_file(file, error)) return std::nullopt;
  check<FormatError>(belongs(file, root), "{}: links to {}, outside its folder", (folder / name).string(),
                     file.string());
  return folder / name;
}

Json read_object(const fs::path& file) {
  Json json = read_json(file);
  check<FormatError>(json.is_object(), "{}: expected a JSON object", file.string());
  return json;
}

// weight_map of an index: the shard of each tensor.
std::map<std::string, std::string> read_index(const fs::path& file) {
  const Json index = read_object(file);
  const auto weight_map = index.find("weight_map");
  check<FormatError>(weight_map != index.end() && weight_map->is_object(), "{}: has no object \"weight_map\"",
                     file.string());
  std::map<std::string, std::string> shards;
  for (const auto& [tensor, shard] : weight_map->items()) {
    if (!shard.is_string())
      fail<FormatError>("{}: the shard of tensor {} is not a string", file.string(), in_quotes(tensor));
    shards.emplace(tensor, shard.get<std::string>());
  }
  return shards;
}

bool is_real(DType dtype) { return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16; }

}  // namespace

ModelFolder ModelFolder::open(const fs::path& folder) {
  check<FormatError>(!folder.empty(), "the path of the model folder is empty");
  recover_folder(folder);
  ModelFolder model;
  model.path_ = folder;
  std::error_code error;
  check<FormatError>(fs::exists(folder, error), "{}: there is no such model folder", folder.string());
  check<FormatError>(fs::is_directory(folder, error), "{}: is a file; a model is a folder with a config.json",
                     folder.string());
  if (!model.has_file("config.json") && model.has_file(kAdapterConfig)) return open_base_of(folder);
  check<FormatError>(model.has_file("config.json"), "{}: is no model folder: it has no config.json", folder.string());
  model.config_ = read_object(model.file("config.json"));
  if (model.has_file("generation_config.json"))
    model.generation_config_ = read_object(model.file("generation_config.json"));
  model.open_weights();
  return model;
}

// The base is a path, from here or from beside the adapters.
ModelFolder ModelFolder::open_base_of(const fs::path& adapter) {
  const Json config = read_object(adapter / kAdapterConfig);
  const auto name = config.find("base_model_name_or_path");
  check<FormatError>(name != config.end() && name->is_string(), "{}: base_model_name_or_path names no folder",
                     (adapter / kAdapterConfig).string());
  const fs::path base = name->get<std::string>();
  for (const fs::path& place : {base, adapter / ".." / base}) {
    std::error_code error;
    if (!fs::is_regular_file(place / "config.json", error)) continue;
    ModelFolder model = open(place);
    model.adapter_ = adapter;
    return model;
  }
  fail<FormatError>(
      "{}: adapters for \"{}\", which is no folder here; \"heed convert --model BASE --adapter {}\" lays "
      "them on a base that you name",
      adapter.string(), base.string(), adapter.string());
}

ModelFolder ModelFolder::without_adapter() const {
  ModelFolder base = *this;
  base.adapter_.clear();
  return base;
}

void ModelFolder::open_weights() {
  if (const auto weights = file_in(path_, kWeights)) shards_.push_back(SafeTensors::open(*weights));
  else if (has_file(kIndex)) open_shards();
  else fail_without_weights();
}

void ModelFolder::open_shards() {
  const fs::path index = file(kIndex);
  const auto shard_of_tensor = read_index(index);
  std::map<std::string, size_t> opened;  // shard name -> index in shards_
  std::set<std::string> names;
  for (const auto& [tensor, shard] : shard_of_tensor) names.insert(shard);
  for (const std::string& name : names) {
    const auto shard = file_in(path_, name);
    if (!shard) fail<FormatError>("{}: names the shard {}, which is not there", index.string(), in_quotes(name));
    opened.emplace(name, shards_.size());
    shards_.push_back(SafeTensors::open(*shard));
  }
  for (const auto& [tensor, shard] : shard_of_tensor)
    if (!shards_[opened.at(shard)].contains(tensor))
      fail<FormatError>("{}: tensor {} should be in {}, which has no such tensor", index.string(), in_quotes(tensor),
                        in_quotes(shard));
  for (const auto& [name, i] : opened)
    for (const std::string& tensor : shards_[i].names()) {
      const auto mapped = shard_of_tensor.find(tensor);
      if (mapped == shard_of_tensor.end() || mapped->second != name)
        fail<FormatError>("{}: does not map tensor {} to {}, where it stands", index.string(), in_quotes(tensor),
                          in_quotes(name));
    }
}

void ModelFolder::fail_without_weights() const {
  for (const char* other : {"pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "flax_model.msgpack"})
    check<FormatError>(!has_file(other),
                       "{}: has {} but no {}; Heed reads safetensors only (transformers writes it with "
                       "save_pretrained)",
                       path_.string(), other, kWeights);
  fail<FormatError>("{}: has no weights: neither {} nor {}", path_.string(), kWeights, kIndex);
}

std::vector<std::string> ModelFolder::names() const {
  std::vector<std::string> all;
  for (const SafeTensors& shard : shards_) std::ranges::move(shard.names(), std::back_inserter(all));
  return all;
}

const SafeTensors* ModelFolder::shard_of(std::string_view name) const {
  const auto it = std::ranges::find_if(shards_, [&](const SafeTensors& shard) { return shard.contains(name); });
  return it == shards_.end() ? nullptr : &*it;
}

const SafeTensors& ModelFolder::shard(std::string_view name) const {
  const SafeTensors* found = shard_of(name);
  if (!found) fail<FormatError>("{}: has no tensor {}", path_.string(), in_quotes(name));
  return *found;
}

Tensor ModelFolder::load(std::string_view name, DType dtype) const {
  Tensor tensor = Tensor::empty(shard(name).place(name).shape, dtype);
  load_into({{std::string(name), tensor.view()}});
  return tensor;
}

namespace {

// A stretch of a tensor that is read in one go.
struct Stretch {
  const SafeTensors* file;
  const std::string* name;
  uint64_t begin;  // byte of the tensor's data
  std::byte* to;
  int64_t elements;
  DType from_dtype, to_dtype;
};

constexpr int64_t kStretch = 1 << 18;  // elements: 1 MB of f32, so that the block that is converted stays in the cache

void append_stretches(const SafeTensors& file, const ModelFolder::Placed& placed, std::vector<Stretch>& list) {
  const TensorView from = file.place(placed.name);
  const TensorView& to = placed.to;
  if (from.dtype != to.dtype && !(is_real(from.dtype) && is_real(to.dtype)))
    fail<DTypeError>("{}: tensor {} is of {}, which does not convert to {}", file.path().string(),
                     in_quotes(placed.name), name_of(from.dtype), name_of(to.dtype));
  check<ShapeError>(from.shape.numel() == to.shape.numel(), "{}: tensor {} has shape {}, where {} is wanted",
                    file.path().string(), placed.name, from.shape.to_string(), to.shape.to_string());
  const int64_t rows = to.contiguous() ? 1 : to.rows(), row = to.contiguous() ? to.shape.numel() : to.cols();
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t begin = 0; begin < row; begin += kStretch) {
      const auto source = static_cast<uint64_t>(r * row + begin) * size_of(from.dtype);
      const auto target = static_cast<size_t>(r * to.row_stride + begin) * size_of(to.dtype);
      list.push_back({&file, &placed.name, source, static_cast<std::byte*>(to.data) + target,
                      std::min(kStretch, row - begin), from.dtype, to.dtype});
    }
}

void read_stretch(const Stretch& s, std::vector<std::byte>& block) {
  const size_t bytes = static_cast<size_t>(s.elements) * size_of(s.from_dtype);
  if (s.from_dtype == s.to_dtype) return s.file->read(*s.name, s.begin, {s.to, bytes});
  block.resize(bytes);
  s.file->read(*s.name, s.begin, block);
  backend().copy({block.data(), s.from_dtype, {s.elements}, s.elements}, {s.to, s.to_dtype, {s.elements}, s.elements});
}

}  // namespace

void ModelFolder::load_into(const std::vector<Placed>& tensors) const {
  std::vector<Stretch> stretches;
  for (const Placed& placed : tensors) append_stretches(shard(placed.name), placed, stretches);
  std::atomic<size_t> next{0};
  std::exception_ptr error;
  std::mutex mutex;
  parallel_for(std::min<int64_t>(thread_count(), std::ssize(stretches)), 1, [&](int64_t, int64_t, int) {
    try {
      std::vector<std::byte> block;
      for (size_t i; (i = next++) < stretches.size();) read_stretch(stretches[i], block);
    } catch (...) {
      const std::lock_guard lock(mutex);
      error = std::current_exception();
      next = stretches.size();
    }
  });
  if (error) std::rethrow_exception(error);
}

bool ModelFolder::has_file(const std::string& name) const { return file_in(path_, name).has_value(); }

fs::path ModelFolder::file(const std::string& name) const {
  const auto found = file_in(path_, name);
  check<FormatError>(found.has_value(), "{}: has no file {}", path_.string(), name);
  return *found;
}

std::vector<fs::path> ModelFolder::files() const {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path_, error))
    if (const auto found = file_in(path_, entry.path().filename().string())) files.push_back(*found);
  check<IoError>(!error, "{}: cannot list: {}", path_.string(), error.message());
  std::ranges::sort(files);
  return files;
}

namespace {

// Splits tensors, in the order of their names, into files of at most `limit` bytes of data (more where one tensor alone
// has more).
std::vector<std::vector<NamedView>> shards_of(std::vector<NamedView> tensors, uint64_t limit) {
  std::ranges::sort(tensors, {}, &NamedView::name);
  std::vector<std::vector<NamedView>> shards(1);
  uint64_t bytes = 0;
  for (NamedView& tensor : tensors) {
    const uint64_t size = tensor.file_bytes();
    if (!shards.back().empty() && (size > limit || bytes > limit - size)) {
      shards.emplace_back();
      bytes = 0;
    }
    bytes += size;
    shards.back().push_back(std::move(tensor));
  }
  return shards;
}

void write_weights(const fs::path& folder, const ModelContent& content) {
  check<UsageError>(content.max_shard_bytes > 0, "a file of weights must hold at least a byte");
  const auto shards = shards_of(content.tensors, content.max_shard_bytes);
  if (shards.size() == 1) {
    write_safetensors(folder / kWeights, content.tensors);
    return;
  }
  std::map<std::string, std::string> shard_of_tensor;
  uint64_t total = 0;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name = fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    write_safetensors(folder / name, shards[i]);
    for (const NamedView& tensor : shards[i]) {
      check<FormatError>(shard_of_tensor.emplace(tensor.name, name).second, "two tensors to be written are named {}",
                         tensor.name);
      total += tensor.file_bytes();
    }
  }
  write_json(folder / kIndex, {{"metadata", {{"total_size", total}}}, {"weight_map", shard_of_tensor}});
}

}  // namespace

void write_model_folder(const fs::path& target, const ModelContent& content) {
  write_folder_atomically(target, [&](const fs::path& folder) {
    write_json(folder / "config.json", content.config);
    if (content.generation_config) write_json(folder / "generation_config.json", *content.generation_config);
    write_weights(folder, content);
    if (content.add_files) content.add_files(folder);
    if (content.add_weights) content.add_weights(folder);
  });
}

}  // namespace heed::io
