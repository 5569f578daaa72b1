#include "heed/train/averaging.h"

#include <functional>
#include <memory>
#include <set>

#include "heed/base/error.h"
#include "heed/io/checkpoint.h"
#include "heed/io/model_folder.h"
#include "heed/tensor/backends.h"

namespace heed::train {
namespace fs = std::filesystem;
namespace {

// The weights of an input, wherever they lie.
struct Source {
  std::string path;
  std::vector<std::string> names;
  std::function<TensorView(const std::string& name)> view;  // into what the function itself keeps alive
};

bool is_checkpoint(const fs::path& path) { return fs::is_regular_file(path / "manifest.json"); }

Source open_source(const fs::path& path) {
  if (is_checkpoint(path)) {
    const auto reader = std::make_shared<io::CheckpointReader>(io::CheckpointReader::open(path));
    const io::SafeTensors tensors = reader->tensors("model");
    return {path.string(), tensors.names(), [tensors](const std::string& name) { return tensors.view(name); }};
  }
  const auto folder = std::make_shared<io::ModelFolder>(io::ModelFolder::open(path));
  return {path.string(), folder->names(), [folder](const std::string& name) { return folder->view(name); }};
}

// The model folder that an input belongs to: itself, or the training's output that the checkpoint lies in.
fs::path folder_of(const fs::path& path) {
  if (!is_checkpoint(path)) return path;
  const fs::path whole = fs::absolute(path).lexically_normal();
  return (whole.has_filename() ? whole : whole.parent_path()).parent_path().parent_path();
}

void check_same_tensors(const Source& first, const Source& other) {
  const std::set<std::string> a(first.names.begin(), first.names.end()), b(other.names.begin(), other.names.end());
  for (const auto& name : a)
    check<FormatError>(b.contains(name), "{}: has no tensor \"{}\", unlike {}", other.path, name, first.path);
  for (const auto& name : b)
    check<FormatError>(a.contains(name), "{}: has a tensor \"{}\", unlike {}", other.path, name, first.path);
  for (const auto& name : a) {
    const Shape expected = first.view(name).shape, got = other.view(name).shape;
    check<FormatError>(expected == got, "{}: tensor \"{}\" has shape {}; in {} it has {}", other.path, name,
                       got.to_string(), first.path, expected.to_string());
  }
}

Tensor mean_of(const std::vector<Source>& sources, const std::string& name) {
  const Shape shape = sources.front().view(name).shape;
  Tensor one = Tensor::empty(shape);
  std::vector<double> sum(static_cast<size_t>(shape.numel()), 0.0);
  for (const Source& source : sources) {
    backend(one.device()).copy(source.view(name), one.view());  // converts to f32
    const float* values = one.data<float>();
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += static_cast<double>(values[i]);
  }
  float* mean = one.data<float>();
  for (size_t i = 0; i < sum.size(); ++i) mean[i] = static_cast<float>(sum[i] / static_cast<double>(sources.size()));
  return one;
}

// Whatever lies in the folder beside weights and configuration: the tokenizer's files.
bool is_other_file(const fs::path& file) {
  const std::string name = file.filename().string();
  static const std::set<std::string> kWritten = {"config.json", "generation_config.json", "training.json",
                                                 "metrics.jsonl"};
  return !kWritten.contains(name) && !name.starts_with(".") && !name.starts_with("events.out.") &&
         !name.ends_with(".safetensors") && !name.ends_with(".safetensors.index.json");
}

}  // namespace

void average_models(const std::vector<fs::path>& inputs, const fs::path& output) {
  check<UsageError>(!inputs.empty(), "no models to average were given");
  check<UsageError>(!fs::exists(output), "{} exists already: give another --output", output.string());
  std::vector<Source> sources;
  sources.reserve(inputs.size());
  for (const fs::path& path : inputs) sources.push_back(open_source(path));
  for (size_t i = 1; i < sources.size(); ++i) check_same_tensors(sources.front(), sources[i]);

  const io::ModelFolder base = io::ModelFolder::open(folder_of(inputs.front()));
  io::ModelContent content{base.config(), base.generation_config(), {}, [&](const fs::path& folder) {
                             for (const fs::path& file : base.files())
                               if (is_other_file(file)) fs::copy_file(file, folder / file.filename());
                           }};
  std::vector<Tensor> means;
  for (const std::string& name : sources.front().names) {
    means.push_back(mean_of(sources, name));
    content.tensors.push_back({name, means.back().view()});
  }
  io::write_model_folder(output, content);
}

}  // namespace heed::train
