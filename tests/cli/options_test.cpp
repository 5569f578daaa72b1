#include "heed/cli/options.h"

#include <CLI/CLI.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "heed/base/files.h"
#include "message_of.h"
#include "shared_files.h"

namespace heed::cli {
namespace {

using heed::testing::TemporaryFolder;
using ::testing::HasSubstr;

Environment table(std::map<std::string, std::string> variables) {
  auto kept = std::make_shared<std::map<std::string, std::string>>(std::move(variables));
  return [kept](const std::string& name) {
    const auto found = kept->find(name);
    return found == kept->end() ? nullptr : found->second.c_str();
  };
}

// The options of a small command and where they end up.
struct Example {
  int max_steps = 100;
  double rate = 0.5;
  bool json = false, shuffle = true, no_color = false;
  std::string name = "x";
  std::optional<int> warmup;
  std::vector<std::filesystem::path> references;
  std::filesystem::path config;
  std::string model_type = "unigram";
  Options options;

  Example() {
    options.section("Training");
    options.add("max-steps", max_steps, "Steps").range(1, 1000000);
    options.add("rate", rate, "Rate").at_least(0);
    options.add("warmup", warmup, "Warm-up steps");
    options.section("Other");
    options.add("json", json, "As JSON");
    options.add("shuffle", shuffle, "Shuffle");
    options.add("no-color", no_color, "Colourless");
    options.add("name", name, "Name");
    options.add("reference", references, "References");
    options.add("model-type", model_type, "Type").choices({"unigram", "bpe"});
    options.add_for_one_run("config", config, "File");
  }
  void parse(const Strings& arguments, std::map<std::string, std::string> variables = {}) {
    options.parse(arguments, table(std::move(variables)));
  }
};

template <class E>
std::string error_of(const Strings& arguments, std::map<std::string, std::string> variables = {}) {
  Example example;
  return testing::message_of<E>([&] { example.parse(arguments, std::move(variables)); });
}

TEST(Options, CommandLineForms) {
  Example example;
  example.parse(
      {"--max-steps", "7", "--rate=0.25", "--json", "--name", "-dash", "--reference", "a,b", "--reference=c"});
  EXPECT_EQ(example.max_steps, 7);
  EXPECT_EQ(example.rate, 0.25);
  EXPECT_TRUE(example.json);
  EXPECT_EQ(example.name, "-dash");
  EXPECT_EQ(example.references, (std::vector<std::filesystem::path>{"a,b", "c"}));
  EXPECT_TRUE(example.options.given("json"));
  EXPECT_FALSE(example.options.given("shuffle"));
}

// What --print-config wrote has all options; it asks for those alone that are not as they were.
TEST(Options, ADefaultInAFileIsNotGiven) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "run.yaml", "max-steps: 7\nrate: 0.5\n");  // 0.5 is the default
  Example file, line;
  file.parse({"--config", folder / "run.yaml"});
  EXPECT_TRUE(file.options.given("max-steps"));
  EXPECT_FALSE(file.options.given("rate"));
  EXPECT_FALSE(file.options.given("json"));
  line.parse({"--rate", "0.5"});
  EXPECT_TRUE(line.options.given("rate"));
}

TEST(Options, FlagsCanBeSwitchedOff) {
  Example example;
  example.parse({"--no-shuffle", "--json=false", "--no-color"});
  EXPECT_FALSE(example.shuffle);
  EXPECT_FALSE(example.json);
  EXPECT_TRUE(example.no_color);
}

TEST(Options, AnEmptyValueIsAValue) {
  Example example;
  example.parse({"--name=", "--max-steps", "3"});
  EXPECT_EQ(example.name, "");
  EXPECT_EQ(example.max_steps, 3);
}

TEST(Options, BracketsAndEqualsSignsAreText) {
  Example example;
  example.parse({"--reference", "[a,b]", "--name=k=v"});
  EXPECT_EQ(example.references, (std::vector<std::filesystem::path>{"[a,b]"}));
  EXPECT_EQ(example.name, "k=v");
}

TEST(Options, TheLastOfSeveralCounts) {
  Example example;
  example.parse({"--max-steps", "3", "--max-steps", "4"});
  EXPECT_EQ(example.max_steps, 4);
}

TEST(Options, NegativeNumbersAreValues) {
  Example example;
  example.parse({"--warmup", "-5"});
  EXPECT_EQ(example.warmup, -5);
}

// The order of sources, in every combination.
TEST(Options, FlagOverEnvironmentOverFileOverDefault) {
  const TemporaryFolder folder;
  const std::string file = folder / "run.yaml";
  write_file_atomically(file, "max-steps: 2\n");
  for (const bool in_file : {false, true})
    for (const bool in_environment : {false, true})
      for (const bool on_line : {false, true}) {
        Example example;
        Strings arguments;
        std::map<std::string, std::string> variables;
        if (in_file) arguments = {"--config", file};
        if (in_environment) variables["HEED_MAX_STEPS"] = "3";
        if (on_line) arguments.insert(arguments.end(), {"--max-steps", "4"});
        example.parse(arguments, variables);
        EXPECT_EQ(example.max_steps, on_line          ? 4
                                     : in_environment ? 3
                                     : in_file        ? 2
                                                      : 100)
            << in_file << in_environment << on_line;
        EXPECT_EQ(example.options.given("max-steps"), on_line || in_environment || in_file);
      }
}

// Why Options keeps the order itself: CLI11's own lets the file win over the environment. When this fails, CLI11 has
// changed and the code can become simpler.
TEST(Options, Cli11WouldLetTheFileWin) {
  const TemporaryFolder folder;
  const std::string file = folder / "run.toml";
  write_file_atomically(file, "max-steps=2\n");
  ::setenv("HEED_TEST_CLI11_ORDER", "3", 1);
  CLI::App app;
  int max_steps = 100;
  app.add_option("--max-steps", max_steps)->envname("HEED_TEST_CLI11_ORDER");
  app.set_config("--config");
  app.parse(std::vector<std::string>{file, "--config"});  // in reverse, as CLI11 takes them
  ::unsetenv("HEED_TEST_CLI11_ORDER");
  EXPECT_EQ(max_steps, 2);
}

TEST(Options, TheFileIsNamedByTheEnvironmentToo) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "run.json", R"({"max_steps": 9, "json": true, "reference": ["r1", "r2"]})");
  Example example;
  example.parse({}, {{"HEED_CONFIG", (folder / "run.json").string()}});
  EXPECT_EQ(example.max_steps, 9);
  EXPECT_TRUE(example.json);
  EXPECT_EQ(example.references.size(), 2u);
}

TEST(Options, AFlagOverridesAListOfTheFileAsAWhole) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "run.yaml", "reference: [r1, r2]\njson: true\n");
  Example example;
  example.parse({"--config", folder / "run.yaml", "--reference", "r3", "--no-json"});
  EXPECT_EQ(example.references, (std::vector<std::filesystem::path>{"r3"}));
  EXPECT_FALSE(example.json);
}

TEST(Options, ListsInTheEnvironmentHaveCommas) {
  Example example;
  example.parse({}, {{"HEED_REFERENCE", "a,b"}, {"HEED_NAME", "a,b"}, {"HEED_RATE", ""}});
  EXPECT_EQ(example.references.size(), 2u);
  EXPECT_EQ(example.name, "a,b");
  EXPECT_EQ(example.rate, 0.5) << "an empty variable is as good as none";
}

TEST(Options, UnknownNamesAreErrorsWithASuggestion) {
  EXPECT_EQ(error_of<UsageError>({"--max-step", "3"}), "unknown option '--max-step'; did you mean '--max-steps'?");
  EXPECT_EQ(error_of<UsageError>({"--max_steps=3"}), "unknown option '--max_steps=3'; did you mean '--max-steps'?");
  EXPECT_EQ(error_of<UsageError>({"--jsn"}), "unknown option '--jsn'; did you mean '--json'?");
  EXPECT_EQ(error_of<UsageError>({"--quite-else"}), "unknown option '--quite-else'");
  EXPECT_EQ(error_of<UsageError>({"file.txt"}), "unexpected argument 'file.txt'");
  const TemporaryFolder folder;
  const std::string file = folder / "run.yaml";
  write_file_atomically(file, "rate: 1\nmax-setps: 3\n");
  EXPECT_EQ(error_of<ConfigError>({"--config", file}),
            file + ":2: unknown option 'max-setps'; did you mean 'max-steps'?");
  write_file_atomically(file, "config: other.yaml\n");
  EXPECT_EQ(error_of<ConfigError>({"--config", file}), file + ":1: unknown option 'config'");
}

TEST(Options, BadValuesSayWhereTheyComeFrom) {
  EXPECT_EQ(error_of<UsageError>({"--max-steps", "x"}), "--max-steps: expected a whole number, got 'x'");
  EXPECT_EQ(error_of<UsageError>({"--max-steps", "0"}), "--max-steps: expected 1 to 1000000, got 0");
  EXPECT_EQ(error_of<UsageError>({"--rate", "-1"}), "--rate: expected at least 0, got -1");
  EXPECT_EQ(error_of<UsageError>({"--json=perhaps"}), "--json: expected true or false, got 'perhaps'");
  EXPECT_EQ(error_of<UsageError>({"--model-type", "bpee"}),
            "--model-type: expected one of unigram, bpe, got 'bpee'; did you mean 'bpe'?");
  EXPECT_EQ(error_of<UsageError>({}, {{"HEED_MAX_STEPS", "many"}}),
            "HEED_MAX_STEPS: expected a whole number, got 'many'");
  EXPECT_THAT(error_of<UsageError>({"--max-steps"}), HasSubstr("--max-steps"));
  const TemporaryFolder folder;
  const std::string file = folder / "run.yaml";
  write_file_atomically(file, "\nmax-steps: none\n");
  EXPECT_EQ(error_of<ConfigError>({"--config", file}), file + ":2: max-steps: expected a whole number, got 'none'");
  write_file_atomically(file, "max-steps: [1, 2]\n");
  EXPECT_EQ(error_of<ConfigError>({"--config", file}), file + ":1: max-steps: expected one value, got 2");
  EXPECT_THAT(error_of<IoError>({"--config", folder / "none.yaml"}), HasSubstr("none.yaml"));
}

TEST(Options, MissingRequiredOptionsAreNamed) {
  Options options;
  std::string a, b, file;
  std::vector<std::string> list;
  options.add("alpha", a, "").required();
  options.add("beta", b, "").required();
  options.add("list", list, "").required();
  options.add_positional("file", file, "").required();
  options.parse({"--beta", "1"}, table({}));
  EXPECT_EQ(options.missing(), (Strings{"--alpha", "--list", "file"}));
  options.parse({"thefile", "--list", "x"}, table({{"HEED_ALPHA", "1"}}));
  EXPECT_TRUE(options.missing().empty());
  EXPECT_EQ(file, "thefile");
}

TEST(Options, PositionalArguments) {
  Options options;
  std::string model, config;
  std::vector<std::string> files;
  bool json = false;
  options.add_positional("model", model, "").required();
  options.add_positional("file", files, "");
  options.add("json", json, "");
  options.parse({"m/", "--json", "a", "-", "--", "--b"}, table({}));
  EXPECT_EQ(model, "m/");
  EXPECT_TRUE(json);
  EXPECT_EQ(files, (Strings{"a", "-", "--b"}));
  EXPECT_EQ(options.positional_usage(), " TEXT [TEXT...]");
  const auto refused = [&](const Strings& arguments) {
    try {
      options.parse(arguments, table({}));
    } catch (const UsageError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(refused({"--model", "m/"}), "'--model': its value is given alone, without the name");
  EXPECT_EQ(refused({"--modle", "m/"}), "unknown option '--modle'");
}

// What --print-config writes sets the same values when it is read, whatever they are.
TEST(Options, PrintedYamlReadsBackTheSame) {
  const TemporaryFolder folder;
  Example first;
  first.parse({"--max-steps", "12345", "--rate", "0.1", "--json", "--no-shuffle", "--name", "no: \"x\"\n# 学生",
               "--reference", "a b", "--reference", "c,d", "--model-type", "bpe"});
  const std::string yaml = first.options.to_yaml("heed example");
  write_file_atomically(folder / "run.yaml", yaml);
  Example second;
  second.parse({"--config", folder / "run.yaml"});
  EXPECT_EQ(second.max_steps, first.max_steps);
  EXPECT_EQ(second.rate, first.rate);
  EXPECT_EQ(second.json, first.json);
  EXPECT_EQ(second.shuffle, first.shuffle);
  EXPECT_EQ(second.name, first.name);
  EXPECT_EQ(second.references, first.references);
  EXPECT_EQ(second.model_type, first.model_type);
  EXPECT_EQ(second.warmup, std::nullopt);
  EXPECT_EQ(second.options.to_yaml("heed example"), yaml);
}

TEST(Options, PrintedYaml) {
  Example example;
  example.parse({"--config", "/dev/null"});
  EXPECT_EQ(
      example.options.to_yaml("heed example"),
      "# heed example\n"
      "\n# Training\nmax-steps: 100\nrate: 0.5\n"
      "\n# Other\njson: false\nshuffle: true\nno-color: false\nname: \"x\"\nreference: []\nmodel-type: unigram\n");
}

}  // namespace
}  // namespace heed::cli
