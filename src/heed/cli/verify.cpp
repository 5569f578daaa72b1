// heed verify: a model folder against its recordings, or against another folder.
#include "heed/verify/verify.h"
#include "heed/cli/commands.h"
#include "heed/text/line_reader.h"

namespace heed::cli {
namespace {

const char* word(verify::Status status) {
  switch (status) {
    case verify::Status::kPass: return "pass";
    case verify::Status::kFail: return "FAIL";
    case verify::Status::kSkipped: return "skipped";
  }
  return "";
}

void print_table(Output& out, const verify::Report& report) {
  out.line(
      fmt::format("{:<52} {:<10} {:>9} {:>9} {:>9}  {}", "what", "path", "absolute", "relative", "bound", "result"));
  for (const verify::Check& c : report.checks) {
    const verify::Difference* d = c.worst();
    const auto number = [&](double value) { return d ? fmt::format("{:.2e}", value) : "-"; };
    out.line(fmt::format("{:<52} {:<10} {:>9} {:>9} {:>9}  {}{}{}", c.what, c.path.empty() ? "-" : c.path,
                         number(d ? d->absolute : 0), number(d ? d->relative() : 0), number(d ? d->bound : 0),
                         word(c.status), c.note.empty() ? "" : "  ", c.note));
  }
}

std::vector<std::string> read_lines(const std::string& file, size_t most) {
  text::LineReader reader(file);
  std::vector<std::string> lines;
  for (std::string line; lines.size() < most && reader.next(line);) lines.push_back(line);
  return lines;
}

}  // namespace

int run_verify(Command& command) {
  std::filesystem::path folder, reference;
  std::string text, dtype, training_dtype = "f32";
  size_t lines = 200;
  verify::Options options;
  command.about(
      "Replays what was recorded of a model beside it (golden.safetensors, grads.safetensors, golden.json,\n"
      "golden_tokenizer.json; tools/record_goldens records them from transformers) and prints how far each number is\n"
      "off. Exits with 0 only if everything is within its bound. With --reference, compares two folders on text.");
  command.example("heed verify model/", "replay the recordings in the folder");
  command.example("heed verify model/ --device cuda --training-dtype bf16", "the same of a GPU, training in bf16");
  command.example("heed verify model/ --reference other/ --text lines.en", "do two folders give the same logits?");
  command.example("heed verify model/ --dtype bf16 --text lines.en --absolute 0.1", "what does rounding to bf16 cost?");
  command.options().add_positional("model", folder, "Folder of the model").required();
  command.options().add("reference", reference, "Folder to compare with, in place of recordings");
  command.options().add("dtype", dtype,
                        "Round the weights to bf16 or f16 and compare with the reference, by default "
                        "the folder itself");
  command.options().add("text", text,
                        "Lines of text: what two folders are compared on, or what a recorded training read");
  command.options().add("lines", lines, "Lines of it that are compared").range(1, 1 << 20);
  command.options().add("absolute", options.outputs.absolute, "Bound of outputs: absolute part").range(0.0, 1e30);
  command.options()
      .add("relative", options.outputs.relative, "Bound of outputs: times the largest |reference|")
      .range(0.0, 1e30);
  command.options().add("gradient-absolute", options.gradients.absolute, "The same of gradients").range(0.0, 1e30);
  command.options().add("gradient-relative", options.gradients.relative, "The same of gradients").range(0.0, 1e30);
  command.options().add("trajectory", options.trajectory, "Bound of each loss of a recorded training").range(0.0, 1e30);
  command.options()
      .add("training-dtype", training_dtype,
           "What is computed as in training, with products of factors rounded to this; bf16 has bounds of its own")
      .choices({"f32", "bf16"});
  command.use_device();
  command.use_threads();
  command.use_json();
  command.parse();

  verify::Report report;
  if (reference.empty() && dtype.empty()) {
    options.text = text;
    options.device = command.common().device;
    options.product = dtype_from_name(training_dtype);
    report = verify::verify_folder(folder, options);
  } else {
    check<UsageError>(!text.empty(), "--reference and --dtype need --text, the lines to compare on");
    check<UsageError>(command.common().device.is_host(), "--reference and --dtype compare on the CPU alone");
    check<UsageError>(training_dtype == "f32",
                      "--training-dtype is of recordings; --reference and --dtype compare none");
    verify::ReferenceOptions compared;
    if (!dtype.empty()) compared.dtype = dtype_from_name(dtype);
    check<UsageError>(dtype.empty() || dtype == "bf16" || dtype == "f16" || dtype == "f32",
                      "--dtype {}: weights are rounded to bf16, f16 or f32", dtype);
    compared.outputs = options.outputs;
    report = verify::compare_folders(folder, reference.empty() ? folder : reference, read_lines(text, lines), compared);
  }
  if (command.common().json) {
    Json json{{"folder", folder.string()}};
    json.update(report.json());
    command.output().line(json.dump(2, ' ', false, Json::error_handler_t::replace));
  } else {
    print_table(command.output(), report);
  }
  command.output().flush();
  return report.passed() ? kOk : kRuntimeError;
}

}  // namespace heed::cli
