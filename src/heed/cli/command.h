// What a subcommand is given, and how it declares itself. A subcommand is one function in a file of its own:
//
//   int run_metric_bleu(Command& command) {
//     std::vector<std::filesystem::path> references;
//     command.about("BLEU of the lines on standard input, as sacreBLEU computes it.");
//     command.example("heed metric bleu --reference test.de < test.hyp", "score a translation");
//     command.options().add("reference", references, "Reference translation").required();
//     command.use_json();
//     command.parse();             // reads all sources; --help and --print-config end here
//     …
//     command.output().line("…");  // results; messages go through heed::log() or progress()
//     return kOk;
//   }
//
// and one line in main.cpp's table. Errors are the library's exceptions; program.cpp turns them into exit codes.
// Every command has --help, --config, --print-config, --quiet, --log-level, --log-format and --no-color.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "heed/base/json.h"
#include "heed/cli/console.h"
#include "heed/cli/exit_code.h"
#include "heed/cli/logging.h"
#include "heed/cli/options.h"
#include "heed/cli/output.h"
#include "heed/cli/progress.h"
#include "heed/core/device.h"
#include "heed/core/dtype.h"
#include "heed/models/load_options.h"

namespace heed::cli {

// Thrown by Command::parse when everything asked for has been done (--help, --print-config).
struct Finished {
  int code = kOk;
};

// Where a command reads and writes; main.cpp gives the process's own.
struct Surroundings {
  Output& output;
  Console& console;
  Environment environment;
  bool input_is_terminal = false;
};

// Options that several commands have, each under one name everywhere.
struct CommonOptions {
  int threads = 0;  // 0: OMP_NUM_THREADS, or all cores
  uint64_t seed = 1;
  std::optional<DType> dtype;  // of a model's matrices in memory; nothing: as its folder has them
  bool json = false;
  Device device;
  bool quiet = false;
  bool no_color = false;
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
};

class Command {
 public:
  // `name`: all its words ("metric bleu"); `arguments`: what follows them.
  Command(std::string name, std::string summary, Strings arguments, Surroundings surroundings);
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  // Before parse(): what help says, and the options.
  void about(std::string text) { about_ = std::move(text); }
  void example(std::string line, std::string meaning) { examples_.emplace_back(std::move(line), std::move(meaning)); }
  Options& options() { return options_; }
  void use_threads();  // --threads; parse() tells the kernels of this thread
  void use_model();    // --device, --threads and --dtype: of a command that runs a model (load_options())
  void use_dtype();    // --dtype, of a model that is only run
  void use_seed();     // --seed
  void use_json();     // --json
  void use_device();   // --device; parse() makes sure that it is there

  // Reads all options (see options.h), starts the log and checks that required options are there. Throws Finished
  // after --help or --print-config, and where no argument at all is given on a terminal although some are required.
  void parse();

  // After parse().
  const CommonOptions& common() const { return common_; }
  // How a model that is only run is loaded, by --dtype and --device.
  models::LoadOptions load_options() const { return models::for_inference(common_.dtype, common_.device); }
  bool colour() const { return surroundings_.console.has_colour(); }  // of standard error
  Output& output() { return surroundings_.output; }
  // Writes what the command found: as JSON with --json, else as text, to which the last line's end is added.
  void write_result(const Json& json, const std::string& text);
  Console& console() { return surroundings_.console; }
  bool input_is_terminal() const { return surroundings_.input_is_terminal; }  // somebody types, and waits for answers
  const Environment& environment() const { return surroundings_.environment; }
  Progress progress(std::chrono::milliseconds interval = Progress::kLineInterval) {
    return {surroundings_.console, common_.quiet, interval};
  }

  std::string help() const;        // everything
  std::string short_help() const;  // the beginning, for who typed the name alone

 private:
  void add_common_options();
  std::string examples_text(size_t most) const;
  std::string bold(const std::string& text) const;

  const std::string name_, summary_;
  const Strings arguments_;
  Surroundings surroundings_;
  std::string about_;
  std::vector<std::pair<std::string, std::string>> examples_;
  Options options_;
  CommonOptions common_;
  std::string device_ = "cpu";
  std::filesystem::path config_;
  bool help_ = false, print_config_ = false;
};

}  // namespace heed::cli
