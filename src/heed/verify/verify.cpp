#include "heed/verify/verify.h"

#include "heed/io/model_folder.h"
#include "heed/models/registry.h"

namespace heed::verify {
namespace {

namespace fs = std::filesystem;

// A part of the replay; what is malformed in the recorded files names the file.
template <class Part>
void run_part(const fs::path& file, const Part& part) {
  try {
    part();
  } catch (const nlohmann::json::exception& e) {
    fail<FormatError>("{}: is not as a recording should be: {}", file.string(), e.what());
  }
}

}  // namespace

Options rounded_training(const Options& exact) {
  Options options = exact;
  options.outputs = {2e-2, 2e-2};
  options.gradients = {0, 6e-2};
  options.trajectory = 2e-2;
  options.gradient_norm = 5e-2;
  return options;
}

Report verify_folder(const fs::path& path, const Options& options) {
  const auto folder = io::ModelFolder::open(path);
  const auto recorded = [&](const char* name) { return folder.has_file(name); };
  check<FormatError>(recorded("golden.safetensors") || recorded("golden.json") || recorded("golden_tokenizer.json"),
                     "{}: has nothing to be held against: no golden.safetensors, golden.json or golden_tokenizer.json",
                     path.string());
  const auto model = models::load_model(folder);
  model->parameters().move_to(options.device);
  model->parameters().compute_in(options.product);
  const Options training = options.product == DType::kF32 ? options : rounded_training(options);
  Report report;
  if (recorded("golden.safetensors")) {
    const auto golden = io::SafeTensors::open(folder.file("golden.safetensors"));
    replay_outputs(*model, golden, options, report);
    replay_training_outputs(*model, golden, training, report);
    if (recorded("grads.safetensors"))
      replay_gradients(*model, golden, io::SafeTensors::open(folder.file("grads.safetensors")), training, report);
  }
  const Json json = recorded("golden.json") ? read_json(folder.file("golden.json")) : Json::object();
  if (json.contains("generate"))
    run_part(path / "golden.json", [&] { replay_generation(*model, json.at("generate"), options, report); });
  if (recorded("golden_tokenizer.json"))
    run_part(path / "golden_tokenizer.json",
             [&] { replay_tokenizer(path, read_json(folder.file("golden_tokenizer.json")), report); });
  if (json.contains("train"))
    run_part(path / "golden.json", [&] { replay_training(*model, path, json.at("train"), training, report); });
  return report;
}

}  // namespace heed::verify
