#include <gtest/gtest.h>

#include "heed/cli/options.h"

namespace heed::cli {
namespace {

TEST(OptionsHelp, WrapsAtSpaces) {
  EXPECT_EQ(wrap_text("one two three", 80, 4), "one two three");
  EXPECT_EQ(wrap_text("aaaaaaaaaa bbbbbbbbbb cccccccccc", 24, 2), "aaaaaaaaaa bbbbbbbbbb\n  cccccccccc");
  EXPECT_EQ(wrap_text("aaaaaaaaaa\nbbbbb", 80, 0), "aaaaaaaaaa bbbbb") << "lines of a literal are joined";
  EXPECT_EQ(wrap_text(std::string(100, 'x'), 30, 0), std::string(100, 'x')) << "a long word stays whole";
}

TEST(OptionsHelp, ListsNameValueNotesAndDefault) {
  Options options;
  int steps = 100;
  bool flag = false, on = true;
  std::string type = "bpe", required;
  std::optional<int> optional;
  std::vector<std::string> list;
  options.section("Training");
  options.add("max-steps", steps, "Steps to train").range(1, 10);
  options.add("flag", flag, "A flag");
  options.add("on", on, "A flag that is on");
  options.section("Other");
  options.add("type", type, "Kind").choices({"unigram", "bpe"}).value_name("KIND");
  options.add("required", required, "Needed").required();
  options.add("optional", optional, "Not set").default_text("from the model");
  options.add("list", list, "Several");
  options.parse({"--max-steps", "3"}, [](const std::string&) { return nullptr; });
  const auto brackets = [](const std::string& text) { return "[" + text + "]"; };
  EXPECT_EQ(options.help(100, brackets),
            "\n[Training:]\n"
            "  --max-steps N             Steps to train (default: 100)\n"
            "  --flag                    A flag\n"
            "  --on                      A flag that is on (default: on)\n"
            "\n[Other:]\n"
            "  --type KIND               Kind (unigram|bpe; default: bpe)\n"
            "  --required TEXT           Needed (required)\n"
            "  --optional N              Not set (default: from the model)\n"
            "  --list TEXT               Several (may be repeated)\n");
}

TEST(OptionsHelp, ALongNameGetsALineOfItsOwn) {
  Options options;
  double value = 0;
  options.add("a-name-that-is-rather-long", value, "Explained");
  EXPECT_EQ(options.help(80, [](const std::string& text) { return text; }),
            "\nOptions:\n  --a-name-that-is-rather-long X\n                            Explained (default: 0)\n");
}

}  // namespace
}  // namespace heed::cli
