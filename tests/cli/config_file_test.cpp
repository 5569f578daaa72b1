#include "heed/cli/config_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "heed/base/files.h"
#include "message_of.h"
#include "shared_files.h"

namespace heed::cli {
namespace {

using ::testing::ElementsAre;

std::vector<ConfigEntry> yaml(const std::string& text) { return parse_config(text, ConfigFormat::kYaml, "run.yaml"); }
std::vector<ConfigEntry> json(const std::string& text) { return parse_config(text, ConfigFormat::kJson, "run.json"); }

std::string error_of(const std::string& text, ConfigFormat format) {
  return testing::message_of<ConfigError>([&] { parse_config(text, format, "run"); });
}

TEST(ConfigFile, YamlValuesStayText) {
  const auto entries = yaml("country: no\nanswer: on\nnumber: 010\nreal: 1e-3\nquoted: \"7\"\n");
  ASSERT_EQ(entries.size(), 5u);
  EXPECT_EQ(entries[0].key, "country");
  EXPECT_THAT(entries[0].values, ElementsAre("no"));
  EXPECT_THAT(entries[1].values, ElementsAre("on"));
  EXPECT_THAT(entries[2].values, ElementsAre("010"));
  EXPECT_THAT(entries[3].values, ElementsAre("1e-3"));
  EXPECT_THAT(entries[4].values, ElementsAre("7"));
  EXPECT_EQ(entries[3].where, "run.yaml:4");
}

TEST(ConfigFile, ListsAndNothing) {
  const auto entries = yaml("reference: [a.txt, b.txt]\nother:\n  - c\nempty: []\nunset:\n");
  ASSERT_EQ(entries.size(), 4u);
  EXPECT_TRUE(entries[0].is_list);
  EXPECT_THAT(entries[0].values, ElementsAre("a.txt", "b.txt"));
  EXPECT_THAT(entries[1].values, ElementsAre("c"));
  EXPECT_TRUE(entries[2].is_list);
  EXPECT_TRUE(entries[2].values.empty());
  EXPECT_TRUE(entries[3].is_null);
  EXPECT_TRUE(yaml("").empty());
  EXPECT_TRUE(yaml("# only a comment\n").empty());
}

TEST(ConfigFile, KeysWithUnderscoresAreTheSame) {
  EXPECT_EQ(yaml("max_steps: 5")[0].key, "max-steps");
  EXPECT_EQ(json(R"({"max_steps": 5})")[0].key, "max-steps");
}

TEST(ConfigFile, JsonValuesStayText) {
  const auto entries =
      json(R"({"seed": 18446744073709551615, "rate": 0.001, "json": true, "name": "no", "l": [1, "x"], "n": null})");
  ASSERT_EQ(entries.size(), 6u);
  EXPECT_THAT(entries[0].values, ElementsAre("18446744073709551615"));
  EXPECT_THAT(entries[1].values, ElementsAre("0.001"));
  EXPECT_THAT(entries[2].values, ElementsAre("true"));
  EXPECT_THAT(entries[3].values, ElementsAre("no"));
  EXPECT_THAT(entries[4].values, ElementsAre("1", "x"));
  EXPECT_TRUE(entries[5].is_null);
}

TEST(ConfigFile, ErrorsSayWhereAndWhat) {
  using enum ConfigFormat;
  EXPECT_EQ(error_of("a: 1\nmodel:\n  width: 3\n", kYaml), "run:2: model: expected a value or a list of values");
  EXPECT_EQ(error_of("a: 1\nb: [[1]]\n", kYaml), "run:2: b: expected a value or a list of values");
  EXPECT_EQ(error_of("max-steps: 1\nmax_steps: 2\n", kYaml), "run:2: max-steps is given twice");
  EXPECT_EQ(error_of("a: 1\n---\nb: 2\n", kYaml), "run: expected one YAML document, got 2");
  EXPECT_EQ(error_of("- a\n- b\n", kYaml), "run: expected a map from option names to values");
  EXPECT_THAT(error_of("a: 1\nb: \"open\nc: 3\n", kYaml), ::testing::HasSubstr("not valid YAML"));
  EXPECT_THAT(error_of("a: [1, 2\n", kYaml), ::testing::HasSubstr("not valid YAML"));
  EXPECT_THAT(error_of("a: *unknown\n", kYaml), ::testing::HasSubstr("run:1: not valid YAML"));
  EXPECT_EQ(error_of("a: \xFF\n", kYaml), "run: not valid UTF-8");
  EXPECT_EQ(error_of("[1]", kJson), "run: expected an object from option names to values");
  EXPECT_EQ(error_of(R"({"a": {"b": 1}})", kJson), "run: a: expected a value or a list of values");
  EXPECT_EQ(error_of(R"({"a": [null]})", kJson), "run: a: expected a value or a list of values");
  EXPECT_THAT(error_of(R"({"a": 1)", kJson), ::testing::HasSubstr("not valid JSON"));
}

TEST(ConfigFile, HostileNestingIsAnError) {
  EXPECT_NE(error_of("a: " + std::string(100000, '['), ConfigFormat::kYaml), "no error");
  EXPECT_NE(error_of("{\"a\": " + std::string(100000, '['), ConfigFormat::kJson), "no error");
}

TEST(ConfigFile, TheEndingDecidesTheFormat) {
  const heed::testing::TemporaryFolder folder;
  write_file_atomically(folder / "a.json", R"({"seed": 3})");
  write_file_atomically(folder / "a.yaml", "seed: 4\n");
  EXPECT_THAT(read_config(folder / "a.json")[0].values, ElementsAre("3"));
  EXPECT_THAT(read_config(folder / "a.yaml")[0].values, ElementsAre("4"));
  EXPECT_THROW(read_config(folder / "none.yaml"), IoError);
}

TEST(ConfigFile, QuotedTextReadsBack) {
  for (const std::string text : {"plain", "no", "", "a: b # c", "quote \" and \\ back", "tab\tline\nend",
                                 "\x01\x1f\x7f", "ü 学生 🙂", "- x", "'"}) {
    const auto entries = yaml("key: " + quote_yaml(text) + "\n");
    ASSERT_EQ(entries.size(), 1u);
    ASSERT_EQ(entries[0].values.size(), 1u) << text;
    EXPECT_EQ(entries[0].values[0], text);
  }
}

}  // namespace
}  // namespace heed::cli
