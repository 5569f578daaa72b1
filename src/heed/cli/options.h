// The options of a command: declared once (name, variable, help), set by flags, the environment and a file.
//
// For --max-steps the environment variable is HEED_MAX_STEPS and the key of a --config file is max-steps (or
// max_steps). A flag wins over the environment, that over the file, that over the variable's initial value, which help
// shows as the default. (CLI11, which splits the command line here, would let the file win over the environment, so
// the order is kept by this class.) A truth value is a flag: --json, --no-json, --json=false. A list is given by
// repeating the flag, by a YAML list, or with commas in the environment. Not thread-safe; used once per process.
#pragma once

#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "heed/cli/option_value.h"

namespace heed::cli {

// Where environment variables come from: getenv, or a table in tests. nullptr: not set.
using Environment = std::function<const char*(const std::string& name)>;
Environment process_environment();

// One option; its setters refine it and return it.
class Option {
 public:
  Option(std::string name, Binding binding, std::string help)
      : name_(std::move(name)), help_(std::move(help)), binding_(std::move(binding)) {}

  Option& required();                            // an error unless some source sets it
  Option& range(double lowest, double highest);  // numbers: bounds, both inclusive
  Option& at_least(double lowest);               // numbers
  Option& choices(Strings allowed);              // text: a closed set
  Option& value_name(std::string placeholder);   // what help shows for the value
  Option& default_text(std::string text);        // what help shows as the default instead of the value

  const std::string& name() const { return name_; }
  bool is_required() const { return required_; }
  bool is_given() const { return !source_.empty(); }  // set by a flag, the environment or the file
  const std::string& source() const { return source_; }

 private:
  friend class Options;
  std::string name_, help_, section_, default_text_, source_;
  Binding binding_;
  Strings choices_;
  Strings initial_;  // the default, as text
  double lowest_ = -std::numeric_limits<double>::infinity();
  double highest_ = std::numeric_limits<double>::infinity();
  bool from_file_ = false;
  bool required_ = false;
  bool positional_ = false;
  bool one_run_only_ = false;  // says what this run shall do: no place in files and in --print-config
};

class Options {
 public:
  Options();
  ~Options();
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;

  // The heading under which help lists the options added from here on.
  void section(std::string title) { section_ = std::move(title); }

  // Adds --`name`, bound to `target` (bool, int, int64_t, uint64_t, float, double, std::string, path; an optional or
  // a vector of one), whose value now is the default. `target` must outlive the object.
  template <class T>
  Option& add(std::string name, T& target, std::string help) {
    return insert(Option(std::move(name), bind_value(target), std::move(help)));
  }

  // Adds --`name`, which takes one of the named values (an enumeration, mostly).
  template <class T>
  Option& add_choice(std::string name, T& target, std::vector<std::pair<std::string, T>> names, std::string help) {
    Strings allowed;
    for (const auto& entry : names) allowed.push_back(entry.first);
    return insert(Option(std::move(name), bind_choice(target, std::move(names)), std::move(help)))
        .choices(std::move(allowed));
  }

  // Adds an argument without dashes; they are filled in the order of these calls. In files and the environment it is
  // an option like all others.
  template <class T>
  Option& add_positional(std::string name, T& target, std::string help) {
    Option& option = add(std::move(name), target, std::move(help));
    option.positional_ = true;
    return option;
  }

  // Adds a flag that only the command line and the environment can set, like --print-config.
  template <class T>
  Option& add_for_one_run(std::string name, T& target, std::string help) {
    Option& option = add(std::move(name), target, std::move(help));
    option.one_run_only_ = true;
    return option;
  }

  // Reads all sources and sets the variables. `arguments` is the command line after the subcommand's name. The option
  // `config_option`, if there is one, names the options file. Throws UsageError (command line, environment),
  // ConfigError (file), IoError. Does not look for required options.
  void parse(const Strings& arguments, const Environment& environment, const std::string& config_option = "config");

  // The required options that no source has set, as they are written on the command line.
  Strings missing() const;

  // Whether somebody asked for the option: by the command line or the environment, or in a file for another value than
  // the default. (What --print-config wrote sets all options to something.) `name` must be one that was added.
  bool given(const std::string& name) const;

  // All options but those for one run, as YAML that sets the same values when read by --config.
  std::string to_yaml(const std::string& title) const;

  // The list of options for help, cut to `width` columns; `bold` wraps headings.
  std::string help(int width, const std::function<std::string(const std::string&)>& bold) const;

  // "MODEL [FILE]": the positional arguments for the usage line.
  std::string positional_usage() const;

 private:
  Option& insert(Option option);
  Option* find(const std::string& name) const;
  void apply(Option& option, const Strings& values, const std::string& source) const;
  std::map<const Option*, Strings> assign_positional(const Strings& rest) const;
  void apply_file(const std::filesystem::path& file);
  Strings flags() const;  // the names that are written with dashes

  std::string section_ = "Options";
  std::vector<std::unique_ptr<Option>> options_;
};

// Breaks `text` into lines of at most `width` columns at spaces; all lines but the first are indented.
std::string wrap_text(const std::string& text, int width, int indent);

}  // namespace heed::cli
