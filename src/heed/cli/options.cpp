#include "heed/cli/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cassert>
#include <cctype>
#include <cstdlib>

#include "heed/cli/config_file.h"
#include "heed/cli/suggest.h"

namespace heed::cli {
namespace {

std::string environment_name(const std::string& option) {
  std::string name = "HEED_";
  for (const char c : option) name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

// Environment variables with this prefix that are no options: the tests' shared files and the instruction set.
[[maybe_unused]] bool is_reserved(const std::string& option) { return option == "shared" || option == "simd"; }

Strings split_at_commas(const std::string& text) {
  Strings parts{""};
  for (const char c : text) {
    if (c == ',') parts.emplace_back();
    else parts.back() += c;
  }
  return parts;
}

// CLI11 splits the command line and knows nothing of the values' types.
class CommandLine {
 public:
  CommandLine() {
    app_.set_help_flag();  // Command has its own
    app_.allow_extras();
  }

  void add(const std::string& name, ValueKind kind) {
    if (kind == ValueKind::kFlag) {
      const bool negative = name.starts_with("no-");
      const std::string names = negative ? "--" + name : fmt::format("--{0},!--no-{0}", name);
      known_[name] = app_.add_flag(names)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    } else {
      known_[name] = app_.add_option("--" + name)
                         ->expected(1)
                         ->allow_extra_args(false)
                         ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
      takes_value_.push_back("--" + name);
    }
  }

  void parse(const Strings& arguments) {
    Strings reversed;
    for (const std::string& argument : arguments) {
      // CLI11 takes `--name=` for a name without a value and eats the next argument.
      const bool empty_value = argument.ends_with('=') && takes_value(argument.substr(0, argument.size() - 1));
      reversed.push_back(empty_value ? argument.substr(0, argument.size() - 1) : argument);
      if (empty_value) reversed.emplace_back();
    }
    std::reverse(reversed.begin(), reversed.end());
    try {
      app_.parse(std::move(reversed));
    } catch (const CLI::ParseError& error) {
      fail<UsageError>("{}", error.what());
    }
  }

  Strings values(const std::string& name) const { return known_.at(name)->results(); }
  Strings rest() const { return app_.remaining(); }  // arguments without dashes, unknown options, "--"

 private:
  bool takes_value(const std::string& flag) const {
    return std::find(takes_value_.begin(), takes_value_.end(), flag) != takes_value_.end();
  }

  CLI::App app_;
  std::map<std::string, CLI::Option*> known_;
  Strings takes_value_;
};

}  // namespace

Environment process_environment() {
  return [](const std::string& name) { return std::getenv(name.c_str()); };
}

Option& Option::required() {
  required_ = true;
  return *this;
}

Option& Option::range(double lowest, double highest) {
  assert(binding_.kind == ValueKind::kNumber);
  lowest_ = lowest;
  highest_ = highest;
  return *this;
}

Option& Option::at_least(double lowest) { return range(lowest, std::numeric_limits<double>::infinity()); }

Option& Option::choices(Strings allowed) {
  assert(binding_.kind == ValueKind::kText);
  choices_ = std::move(allowed);
  return *this;
}

Option& Option::value_name(std::string placeholder) {
  binding_.placeholder = std::move(placeholder);
  return *this;
}

Option& Option::default_text(std::string text) {
  default_text_ = std::move(text);
  return *this;
}

Options::Options() = default;
Options::~Options() = default;

Option& Options::insert(Option option) {
  assert(!find(option.name_) && !is_reserved(option.name_) && "an option's name must be new and not reserved");
  option.section_ = section_;
  option.initial_ = option.binding_.write();
  options_.push_back(std::make_unique<Option>(std::move(option)));
  return *options_.back();
}

Option* Options::find(const std::string& name) const {
  for (const auto& option : options_)
    if (option->name_ == name) return option.get();
  return nullptr;
}

Strings Options::flags() const {
  Strings names;
  for (const auto& option : options_)
    if (!option->positional_) names.push_back(option->name_);
  return names;
}

bool Options::given(const std::string& name) const {
  const Option* option = find(name);
  assert(option && "given() asks for an option that was added");
  return option->is_given() && !(option->from_file_ && option->binding_.write() == option->initial_);
}

// Throws UsageError; the message does not say where the values come from.
void Options::apply(Option& option, const Strings& values, const std::string& source) const {
  check<UsageError>(option.binding_.is_list || values.size() == 1, "expected one value, got {}", values.size());
  for (const std::string& value : values) {
    const bool allowed = option.choices_.empty() ||
                         std::find(option.choices_.begin(), option.choices_.end(), value) != option.choices_.end();
    check<UsageError>(allowed, "expected one of {}, got '{}'{}", fmt::join(option.choices_, ", "), value,
                      did_you_mean(value, option.choices_));
  }
  option.binding_.set(values);
  if (option.binding_.kind == ValueKind::kNumber) {
    for (const std::string& text : option.binding_.write()) {
      const double number = std::strtod(text.c_str(), nullptr);
      if (option.highest_ == std::numeric_limits<double>::infinity())
        check<UsageError>(number >= option.lowest_, "expected at least {}, got {}", option.lowest_, text);
      check<UsageError>(number >= option.lowest_ && number <= option.highest_, "expected {} to {}, got {}",
                        option.lowest_, option.highest_, text);
    }
  }
  option.source_ = source;
}

void Options::apply_file(const std::filesystem::path& file) {
  for (const ConfigEntry& entry : read_config(file)) {
    Option* option = find(entry.key);
    if (!option || option->one_run_only_) {
      Strings known;
      for (const auto& candidate : options_)
        if (!candidate->one_run_only_) known.push_back(candidate->name_);
      fail<ConfigError>("{}: unknown option '{}'{}", entry.where, entry.key, did_you_mean(entry.key, known));
    }
    if (option->is_given() || entry.is_null) continue;
    try {
      apply(*option, entry.values, entry.where);
      option->from_file_ = true;
    } catch (const UsageError& error) {
      fail<ConfigError>("{}: {}: {}", entry.where, entry.key, error.what());
    }
  }
}

// What stands on the command line without being an option, for the positional options in their order.
std::map<const Option*, Strings> Options::assign_positional(const Strings& rest) const {
  std::map<const Option*, Strings> assigned;
  bool options_ended = false;
  for (const std::string& argument : rest) {
    if (argument == "--" && !options_ended) {
      options_ended = true;
      continue;
    }
    if (!options_ended && argument.size() > 1 && argument[0] == '-') {
      const size_t name = std::min(argument.find_first_not_of('-'), argument.size());
      const std::string word = argument.substr(name, argument.find('=') - name);
      const Option* known = find(word);
      check<UsageError>(!known || !known->positional_, "'{}': its value is given alone, without the name", argument);
      fail<UsageError>("unknown option '{}'{}", argument, did_you_mean(word, flags(), "--"));
    }
    const auto taker = std::find_if(options_.begin(), options_.end(), [&](const auto& option) {
      return option->positional_ && (option->binding_.is_list || assigned[option.get()].empty());
    });
    check<UsageError>(taker != options_.end(), "unexpected argument '{}'", argument);
    assigned[taker->get()].push_back(argument);
  }
  return assigned;
}

void Options::parse(const Strings& arguments, const Environment& environment, const std::string& config_option) {
  CommandLine line;
  for (const auto& option : options_)
    if (!option->positional_) line.add(option->name_, option->binding_.kind);
  line.parse(arguments);
  std::map<const Option*, Strings> positional = assign_positional(line.rest());
  for (const auto& option : options_) {
    const bool list = option->binding_.is_list;
    Strings values = option->positional_ ? positional[option.get()] : line.values(option->name_);
    const std::string variable = environment_name(option->name_);
    const char* const set = environment(variable);
    std::string source = option->positional_ ? option->name_ : "--" + option->name_;
    if (values.empty() && set && *set) values = list ? split_at_commas(set) : Strings{set}, source = variable;
    if (values.empty()) continue;
    if (!list) values = {values.back()};  // as everywhere: the last one counts
    try {
      apply(*option, values, source);
    } catch (const UsageError& error) {
      fail<UsageError>("{}: {}", source, error.what());
    }
  }
  const Option* config = find(config_option);
  if (config && config->is_given()) apply_file(config->binding_.write().at(0));
}

Strings Options::missing() const {
  Strings missing;
  for (const auto& option : options_)
    if (option->required_ && (!option->is_given() || option->binding_.write().empty()))
      missing.push_back(option->positional_ ? option->name_ : "--" + option->name_);
  return missing;
}

std::string Options::to_yaml(const std::string& title) const {
  std::string out = fmt::format("# {}\n", title), section;
  for (const auto& option : options_) {
    const Strings values = option->binding_.write();
    if (option->one_run_only_ || (values.empty() && !option->binding_.is_list)) continue;
    if (option->section_ != section) out += fmt::format("\n# {}\n", section = option->section_);
    const bool quoted = option->binding_.kind == ValueKind::kText && option->choices_.empty();
    Strings texts;
    for (const std::string& value : values) texts.push_back(quoted ? quote_yaml(value) : value);
    const std::string joined = fmt::format("{}", fmt::join(texts, ", "));
    out += fmt::format("{}: {}\n", option->name_, option->binding_.is_list ? fmt::format("[{}]", joined) : joined);
  }
  return out;
}

}  // namespace heed::cli
