// heed info: what lies in a model folder.
#include <sys/resource.h>

#include <chrono>

#include "heed/base/sha256.h"
#include "heed/base/threads.h"
#include "heed/cli/commands.h"
#include "heed/io/model_folder.h"
#include "heed/models/registry.h"
#include "heed/tensor/backends.h"

namespace heed::cli {
namespace {

std::string text_at(const Json& config, const char* key) { return config.contains(key) ? config.at(key).dump() : "-"; }

// Loads the model to be run: how long that takes, and the most memory that this process ever held.
Json measure_load(const io::ModelFolder& folder) {
  const auto begin = std::chrono::steady_clock::now();
  const auto model = models::load_model(folder, models::for_inference());
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return {{"seconds", seconds.count()}, {"peak_bytes", uint64_t{1024} * static_cast<uint64_t>(usage.ru_maxrss)}};
}

// What families call their sizes and activations.
constexpr const char* kSizes[] = {"d_model",
                                  "hidden_size",
                                  "n_embd",
                                  "dim",
                                  "encoder_layers",
                                  "decoder_layers",
                                  "num_layers",
                                  "num_decoder_layers",
                                  "num_hidden_layers",
                                  "n_layer",
                                  "n_layers",
                                  "encoder_attention_heads",
                                  "num_attention_heads",
                                  "num_key_value_heads",
                                  "num_heads",
                                  "n_head",
                                  "n_heads",
                                  "encoder_ffn_dim",
                                  "intermediate_size",
                                  "d_ff",
                                  "n_inner",
                                  "hidden_dim",
                                  "vocab_size",
                                  "max_position_embeddings",
                                  "n_positions",
                                  "image_size",
                                  "patch_size",
                                  "activation_function",
                                  "hidden_act",
                                  "feed_forward_proj",
                                  "activation"};

// What this machine computes with.
int list_devices(Command& command) {
  const CudaDevices found = cuda_devices();
  Output& out = command.output();
  if (command.common().json) {
    Json list = Json::array();
    for (size_t i = 0; i < found.devices.size(); ++i) {
      const DeviceDescription& d = found.devices[i];
      list.push_back({{"device", fmt::format("cuda:{}", i)},
                      {"name", d.name},
                      {"architecture", d.architecture},
                      {"multiprocessors", d.multiprocessors},
                      {"memory_bytes", d.memory_bytes},
                      {"free_bytes", d.free_bytes}});
    }
    Json report{{"cpu", cpu_instructions()}, {"threads", thread_count()}, {"gpus", list}, {"cuda", found.versions}};
    if (!found.why_none.empty()) report["why_no_gpu"] = found.why_none;
    out.line(report.dump(2));
    return kOk;
  }
  out.line(fmt::format("cpu     {}, {} threads", cpu_instructions(), thread_count()));
  for (size_t i = 0; i < found.devices.size(); ++i) {
    const DeviceDescription& d = found.devices[i];
    out.line(fmt::format("cuda:{}  {}, {} of {} free, {} multiprocessors of compute capability {}", i, d.name,
                         format_bytes(d.free_bytes), format_bytes(d.memory_bytes), d.multiprocessors, d.architecture));
  }
  if (!found.versions.empty()) out.line(fmt::format("CUDA    {}", found.versions));
  if (found.devices.empty()) out.line(fmt::format("no GPU  {}", found.why_none));
  return kOk;
}

}  // namespace

int run_info(Command& command) {
  std::filesystem::path path;
  bool tensors = false, load = false, devices = false;
  command.about(
      "What a model folder holds: family, parameters, sizes, the SHA-256 of each file; or, with --devices, what this\n"
      "machine computes with.");
  command.example("heed info model/", "");
  command.example("heed info model/ --tensors", "every tensor with its type and shape");
  command.example("heed info --devices", "the GPUs of this machine");
  command.options().add_positional("model", path, "Folder of the model");
  command.options().add("tensors", tensors, "List the tensors");
  command.options().add("load", load, "Load the model and say how long that takes and how much memory it needs");
  command.options().add("devices", devices, "List the devices of this machine");
  command.use_json();
  command.parse();
  check<UsageError>(!devices || (path.empty() && !tensors && !load), "--devices lists devices and takes no model");
  if (devices) return list_devices(command);
  check<UsageError>(!path.empty(), "missing: MODEL, the folder of a model (or --devices)");
  const auto folder = io::ModelFolder::open(path);
  const Json loaded = load ? measure_load(folder) : Json();
  Json report{{"path", path.string()}, {"model_type", folder.config().value("model_type", "")}};
  int64_t parameters = 0;
  Json list = Json::array();
  for (const std::string& name : folder.names()) {
    const auto info = folder.info(name);
    int64_t count = 1;
    for (const int64_t d : info.shape) count *= d;
    parameters += count;
    list.push_back({{"name", name}, {"dtype", info.dtype}, {"shape", info.shape}});
  }
  report["parameters"] = parameters;
  report["files"] = Json::array();
  for (const auto& file : folder.files())
    report["files"].push_back({{"name", file.filename().string()},
                               {"bytes", std::filesystem::file_size(file)},
                               {"sha256", sha256_of_file(file)}});
  if (tensors) report["tensors"] = list;
  if (load) report["load"] = loaded;
  if (command.common().json) {
    command.output().line(report.dump(2, ' ', false, Json::error_handler_t::replace));
    return kOk;
  }
  Output& out = command.output();
  out.line(fmt::format("{}: {}, {} parameters", path.string(), report["model_type"].get<std::string>(),
                       format_count(static_cast<double>(parameters))));
  for (const char* key : kSizes)
    if (folder.config().contains(key)) out.line(fmt::format("  {:<26}{}", key, text_at(folder.config(), key)));
  for (const Json& f : report["files"])
    out.line(fmt::format("  {:<26}{:>10}  {}", f["name"].get<std::string>(), format_bytes(f["bytes"].get<uint64_t>()),
                         f["sha256"].get<std::string>()));
  if (load)
    out.line(fmt::format("  {:<26}{:.3f} s, {} at most", "loaded in", loaded["seconds"].get<double>(),
                         format_bytes(loaded["peak_bytes"].get<uint64_t>())));
  if (tensors)
    for (const Json& t : list)
      out.line(fmt::format("  {:<60}{:<5}{}", t["name"].get<std::string>(), t["dtype"].get<std::string>(),
                           t["shape"].dump()));
  out.flush();
  return kOk;
}

}  // namespace heed::cli
