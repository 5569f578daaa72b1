#include "heed/models/save.h"

#include <array>
#include <map>

#include "heed/base/files.h"
#include "heed/io/output_file.h"

namespace heed::models {
namespace {

namespace fs = std::filesystem;

// Files that tell how text and images become inputs, under the names that transformers gives them.
constexpr std::array kInputFiles{"added_tokens.json",
                                 "chat_template.jinja",
                                 "chat_template.json",
                                 "merges.txt",
                                 "preprocessor_config.json",
                                 "processor_config.json",
                                 "sentencepiece.bpe.model",
                                 "source.spm",
                                 "special_tokens_map.json",
                                 "spiece.model",
                                 "target.spm",
                                 "target_vocab.json",
                                 "tokenizer.json",
                                 "tokenizer.model",
                                 "tokenizer_config.json",
                                 "vocab.json",
                                 "vocab.txt"};

void copy_bytes(const fs::path& from, const fs::path& to) {
  const ReadableFile in(from);
  io::OutputFile out(to);
  std::vector<std::byte> block(1 << 20);
  for (uint64_t at = 0; at < in.size(); at += block.size()) {
    const auto part = std::span(block).first(std::min<size_t>(block.size(), in.size() - at));
    in.read_at(at, part);
    out.write(part);
  }
  out.commit();
}

// The element type of each parameter in the folder.
std::map<std::string, DType> stored_dtypes(const Model& model, const io::ModelFolder& source) {
  std::map<std::string, DType> dtypes;
  for (const auto& [parameter, tensor] : sources_of(model.parameters(), source, model.weight_rules())) {
    const std::string dtype = source.info(tensor).dtype;
    dtypes[parameter] = dtype == "BF16" ? DType::kBF16 : dtype == "F16" ? DType::kF16 : DType::kF32;
  }
  return dtypes;
}

void set_dtype(Json& config, DType dtype) {
  const char* name = dtype == DType::kBF16 ? "bfloat16" : dtype == DType::kF16 ? "float16" : "float32";
  // Both generations of transformers read both keys; the one that is there stays.
  config[config.contains("torch_dtype") && !config.contains("dtype") ? "torch_dtype" : "dtype"] = name;
}

}  // namespace

std::vector<std::string> input_files() { return {kInputFiles.begin(), kInputFiles.end()}; }

io::ModelContent content_of(const Model& model, const io::ModelFolder* source, const SaveOptions& options) {
  io::ModelContent content{model.config(), model.generation_config(), named_views(model.parameters()), {}, {}};
  content.max_shard_bytes = options.max_shard_bytes;
  if (options.dtype) set_dtype(content.config, *options.dtype);
  const auto stored = source && !options.dtype ? stored_dtypes(model, *source) : std::map<std::string, DType>();
  for (io::NamedView& tensor : content.tensors) {
    const auto it = stored.find(tensor.name);
    tensor.as = options.dtype.value_or(it != stored.end() ? it->second : DType::kF32);
  }
  if (source)
    content.add_files = [source](const fs::path& folder) {
      for (const char* name : kInputFiles)
        if (source->has_file(name)) copy_bytes(source->file(name), folder / name);
    };
  return content;
}

}  // namespace heed::models
