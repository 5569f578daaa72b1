#include "heed/cli/command.h"

#include <algorithm>

#include "heed/base/threads.h"
#include "heed/cli/terminal.h"
#include "heed/dist/communicator.h"
#include "heed/tensor/backends.h"

namespace heed::cli {
namespace {

constexpr int kWidestHelp = 100;
constexpr size_t kShortHelpExamples = 2;
constexpr const char* kSourcesNote =
    "Every option can also be set by an environment variable (HEED_LOG_LEVEL for --log-level) and in the file of "
    "--config (log-level: info). A flag wins over the environment, that over the file.";

}  // namespace

Command::Command(std::string name, std::string summary, Strings arguments, Surroundings surroundings)
    : name_(std::move(name)),
      summary_(std::move(summary)),
      arguments_(std::move(arguments)),
      surroundings_(std::move(surroundings)) {}

void Command::use_threads() {
  options_.add("threads", common_.threads, "Threads to compute with").at_least(0).default_text("all cores");
}

void Command::use_dtype() {
  options_.add_choice<std::optional<DType>>(
      "dtype", common_.dtype,
      {{"auto", std::nullopt}, {"f32", DType::kF32}, {"bf16", DType::kBF16}, {"f16", DType::kF16}},
      "The model's matrices in memory. bf16 and f16 take half of it and round them, f16 less, but to 0 below 3e-8 and "
      "to infinity from 65520 on; auto: as they are in the folder");
}

void Command::use_model() {
  use_device();
  use_threads();
  use_dtype();
}

void Command::use_seed() { options_.add("seed", common_.seed, "Seed of all random numbers"); }

void Command::use_json() { options_.add("json", common_.json, "Write results as JSON"); }

void Command::use_device() {
  options_.add("device", device_, "Where to compute: cpu, cuda, or cuda:1 for the second GPU, …");
}

void Command::add_common_options() {
  options_.section("General");
  options_.add("quiet", common_.quiet, "No progress, and of the log only warnings and errors");
  options_.add_choice<LogLevel>("log-level", common_.log_level,
                                {{"trace", LogLevel::kTrace},
                                 {"debug", LogLevel::kDebug},
                                 {"info", LogLevel::kInfo},
                                 {"warn", LogLevel::kWarn},
                                 {"error", LogLevel::kError},
                                 {"off", LogLevel::kOff}},
                                "What to log to standard error");
  options_.add_choice<LogFormat>("log-format", common_.log_format,
                                 {{"text", LogFormat::kText}, {"json", LogFormat::kJson}}, "How to log");
  options_.add("no-color", common_.no_color, "No colours");
  options_.add_for_one_run("config", config_, "Read options from a YAML or JSON file, keys without dashes");
  options_.add_for_one_run("print-config", print_config_, "Print the options in effect as YAML and end");
  options_.add_for_one_run("help", help_, "Show this help and end");
}

void Command::parse() {
  add_common_options();
  // Help is given whatever else stands on the line, even if that is wrong.
  const auto is_help = [](const std::string& argument) { return argument == "--help" || argument == "-h"; };
  help_ = std::any_of(arguments_.begin(), arguments_.end(), is_help);
  if (!help_) options_.parse(arguments_, surroundings_.environment);
  if (help_) {
    output().write(help());
    throw Finished{};
  }
  if (common_.no_color) surroundings_.console.set_colour(false);
  if (print_config_) {
    output().write(options_.to_yaml("heed " + name_));
    throw Finished{};
  }
  const Strings missing = options_.missing();
  if (!missing.empty() && arguments_.empty() && surroundings_.input_is_terminal) {
    output().write(short_help());
    throw Finished{};
  }
  check<UsageError>(missing.empty(), "missing: {}", fmt::join(missing, ", "));
  const LogLevel level = common_.quiet ? std::max(common_.log_level, LogLevel::kWarn) : common_.log_level;
  start_logging(surroundings_.console, level, common_.log_format);
  if (common_.threads > 0) set_thread_count(common_.threads);
  common_.device = device_from_name(device_);
  // Processes that are started together take a GPU each, unless one is named.
  if (device_ == "cuda" && dist::is_started_together()) common_.device.index = static_cast<int8_t>(dist::local_rank());
  if (!common_.device.is_host()) backend(common_.device);  // fails at once where there is no such device
}

void Command::write_result(const Json& json, const std::string& text) {
  output().line(common_.json ? json.dump(-1, ' ', false, Json::error_handler_t::replace) : text);
  output().flush();
}

std::string Command::bold(const std::string& text) const {
  const bool no_color = std::find(arguments_.begin(), arguments_.end(), std::string("--no-color")) != arguments_.end();
  return paint(text, Style::kBold,
               wants_colour(surroundings_.output.descriptor(), surroundings_.environment, no_color));
}

std::string Command::examples_text(size_t most) const {
  if (examples_.empty()) return "";
  std::string out = fmt::format("\n{}\n", bold(examples_.size() == 1 || most == 1 ? "Example:" : "Examples:"));
  for (size_t i = 0; i < std::min(most, examples_.size()); ++i)
    out += fmt::format("  {}\n      {}\n", examples_[i].first, examples_[i].second);
  return out;
}

std::string Command::help() const {
  const int width = std::min(terminal_width(surroundings_.output.descriptor(), surroundings_.environment), kWidestHelp);
  const auto paint_bold = [this](const std::string& text) { return bold(text); };
  std::string out = fmt::format("heed {}: {}\n", name_, summary_);
  out += examples_text(examples_.size());
  out += fmt::format("\n{} heed {}{} [options]\n", bold("Usage:"), name_, options_.positional_usage());
  if (!about_.empty()) out += fmt::format("\n{}\n", wrap_text(about_, width, 0));
  out += options_.help(width, paint_bold);
  out += fmt::format("\n{}\n", wrap_text(kSourcesNote, width, 0));
  return out;
}

std::string Command::short_help() const {
  return fmt::format("heed {}: {}\n{}\nheed {} --help shows all options.\n", name_, summary_,
                     examples_text(kShortHelpExamples), name_);
}

}  // namespace heed::cli
