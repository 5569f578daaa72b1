// heed classify, tag, answer, fill-mask and embed as processes: one line out for each line in, in order; JSON; errors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "cli/run_program.h"
#include "heed/base/json.h"
#include "shared_files.h"

namespace heed::cli {
namespace {

using heed::testing::run_heed;
using heed::testing::shared_path;
using ::testing::HasSubstr;

std::string golden(const std::string& name) { return shared_path("goldens/" + name); }

std::vector<Json> json_lines(const std::string& text) {
  std::vector<Json> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    lines.push_back(parse_json(text.substr(at, end - at), "output"));
    at = end + 1;
  }
  return lines;
}

TEST(EncoderCommands, Classify) {
  HEED_NEEDS_SHARED("goldens/bert_classify");
  const std::string text = "A small brown dog runs across the wet grass.\n\nTwo women are sitting on a bench.\n";
  const auto plain = run_heed({"classify", "--model", golden("bert_classify"), "--window", "2"}, {.text = text});
  ASSERT_EQ(plain.exit_code, 0) << plain.error;
  EXPECT_THAT(plain.output, ::testing::StartsWith("negative\t0.5883\n"));
  EXPECT_EQ(std::count(plain.output.begin(), plain.output.end(), '\n'), 3);
  const auto json = json_lines(
      run_heed({"classify", "--model", golden("bert_classify"), "--top-k", "2", "--json"}, {.text = text}).output);
  ASSERT_EQ(json.size(), 3u);
  EXPECT_EQ(json[0]["labels"].size(), 2u);
  EXPECT_NEAR(json[0]["labels"][0]["score"].get<double>(), 0.5882744, 1e-4);
  const auto pair = run_heed({"classify", "--model", golden("bert_classify"), "--pairs"}, {.text = "a\tb\nno tab\n"});
  EXPECT_EQ(pair.exit_code, 4);
  EXPECT_THAT(pair.error, HasSubstr("standard input:2: expected two columns"));
  const auto head = run_heed({"classify", "--model", golden("bert_tag")}, {.text = text});
  EXPECT_EQ(head.exit_code, 3);
  EXPECT_THAT(head.error, HasSubstr("token classification"));
}

TEST(EncoderCommands, Tag) {
  HEED_NEEDS_SHARED("goldens/bert_tag");
  const std::string text = "Zürich has a dog.\n\nA small brown dog runs.\n";
  const auto plain = run_heed({"tag", "--model", golden("bert_tag")}, {.text = text});
  ASSERT_EQ(plain.exit_code, 0) << plain.error;
  EXPECT_EQ(std::count(plain.output.begin(), plain.output.end(), '\n'), 3);
  const auto lines =
      json_lines(run_heed({"tag", "--model", golden("bert_tag"), "--words", "--all", "--json"}, {.text = text}).output);
  ASSERT_EQ(lines.size(), 3u);
  ASSERT_EQ(lines[0]["words"].size(), 4u);
  EXPECT_EQ(lines[0]["words"][0]["text"], "Zürich");
  EXPECT_EQ(lines[0]["words"][3]["text"], "dog.");
  EXPECT_EQ(lines[0]["words"][3]["begin"], 13);
  EXPECT_EQ(lines[0]["words"][3]["end"], 17);
}

TEST(EncoderCommands, Answer) {
  HEED_NEEDS_SHARED("goldens/bert_qa");
  const std::string model = golden("bert_qa"), context = "A small brown dog runs across the wet grass.";
  const auto one = run_heed({"answer", "--model", model, "--question", "Who runs?", "--context", context, "--json"});
  ASSERT_EQ(one.exit_code, 0) << one.error;
  const Json answer = json_lines(one.output).at(0)["answers"][0];
  const auto begin = answer["begin"].get<size_t>(), end = answer["end"].get<size_t>();
  EXPECT_EQ(answer["text"], context.substr(begin, end - begin));
  const std::string both =
      "Who runs?\t" + context + "\n" + Json{{"question", "Who runs?"}, {"context", context}}.dump() + "\n";
  const auto lines = json_lines(run_heed({"answer", "--model", model, "--json"}, {.text = both}).output);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0], lines[1]);
  EXPECT_EQ(lines[0]["answers"][0], answer);
  const auto broken = run_heed({"answer", "--model", model}, {.text = "q\tc\n{\"question\": 3}\n"});
  EXPECT_EQ(broken.exit_code, 4);
  EXPECT_THAT(broken.error, HasSubstr("standard input:2: expected an object with \"question\""));
  EXPECT_EQ(run_heed({"answer", "--model", model, "--question", "x"}).exit_code, 2);
}

TEST(EncoderCommands, FillMask) {
  HEED_NEEDS_SHARED("goldens/bert_mlm");
  const std::string model = golden("bert_mlm");
  const auto filled = run_heed({"fill-mask", "--model", model, "--top-k", "2", "--json"},
                               {.text = "A small [MASK] runs across the wet grass.\nTwo [MASK] are [MASK].\n"});
  ASSERT_EQ(filled.exit_code, 0) << filled.error;
  const auto lines = json_lines(filled.output);
  EXPECT_EQ(lines.at(0)["masks"].size(), 1u);
  EXPECT_EQ(lines.at(1)["masks"].size(), 2u);
  EXPECT_EQ(lines[0]["masks"][0][0]["id"], 1101);
  EXPECT_EQ(lines[0]["masks"][0][0]["token"], "between");
  EXPECT_NEAR(lines[0]["masks"][0][0]["score"].get<double>(), 0.8500078, 1e-4);
  const auto none = run_heed({"fill-mask", "--model", model}, {.text = "No mask.\n"});
  EXPECT_EQ(none.exit_code, 4);
  EXPECT_THAT(none.error, HasSubstr("standard input:1: the text has no [MASK]"));
}

TEST(EncoderCommands, Embed) {
  HEED_NEEDS_SHARED("goldens/distilbert");
  const std::string model = golden("distilbert"), text = "What is it?\nA dog.\n";
  const auto json = json_lines(run_heed({"embed", "--model", model, "--json"}, {.text = text}).output);
  const auto bytes = run_heed({"embed", "--model", model, "--format", "f32"}, {.text = text}).output;
  ASSERT_EQ(json.size(), 2u);
  const size_t width = json[0]["embedding"].size();
  ASSERT_EQ(bytes.size(), 2 * width * sizeof(float));
  for (size_t i = 0; i < 2 * width; ++i) {
    float value;
    std::memcpy(&value, bytes.data() + i * sizeof(float), sizeof(float));
    EXPECT_EQ(value, json[i / width]["embedding"][i % width].get<float>());
  }
  EXPECT_EQ(run_heed({"embed", "--model", model, "--pooling", "pooler"}, {.text = text}).exit_code, 2);
}

}  // namespace
}  // namespace heed::cli
