// heed convert: a model folder written anew, in another element type or other files.
#include "heed/cli/commands.h"
#include "heed/models/lora.h"
#include "heed/models/registry.h"
#include "heed/models/save.h"

namespace heed::cli {

int run_convert(Command& command) {
  std::filesystem::path input, output, adapter;
  std::string dtype, shard = "50GB";
  command.about(
      "Writes a model folder anew: configuration with all its keys, tensors under their present names, tokenizer "
      "files\n"
      "byte for byte. Without --dtype each tensor keeps its type. Doing it twice gives the same bytes.");
  command.example("heed convert --model model/ --output half/ --dtype bf16", "half the size");
  command.example("heed convert --model model/ --output shards/ --max-shard-size 2GB",
                  "in several files with an index");
  command.example("heed convert --model base/ --adapter adapter/ --output merged/", "with adapters merged into it");
  command.options().add("model", input, "Folder of the model").required();
  command.options().add("output", output, "Folder to write, which must not exist").required();
  command.options().add("adapter", adapter, "Folder of low-rank adapters (PEFT's LoRA) to merge into the model");
  command.options().add("dtype", dtype, "Element type of all tensors: f32, bf16 or f16 (rounded to nearest even)");
  command.options().add("max-shard-size", shard, "Most bytes of tensors in a file");
  command.use_threads();
  command.parse();

  models::SaveOptions options;
  check<UsageError>(dtype.empty() || dtype == "f32" || dtype == "bf16" || dtype == "f16",
                    "--dtype {}: expected f32, bf16 or f16", dtype);
  if (!dtype.empty()) options.dtype = dtype_from_name(dtype);
  options.max_shard_bytes = parse_size("max-shard-size", shard);
  check<UsageError>(!std::filesystem::exists(output), "{}: is there already", output.string());
  const auto folder = io::ModelFolder::open(input);
  const auto model =
      adapter.empty() ? models::load_model(folder) : models::load_merged(folder.without_adapter(), adapter);
  io::write_model_folder(output, models::content_of(*model, &folder, options));
  command.progress().finish(fmt::format("{} written", output.string()));
  return kOk;
}

}  // namespace heed::cli
