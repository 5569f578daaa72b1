// heed classify, tag, answer, fill-mask and embed as processes: one line out for each line in, in order; JSON; errors.
#include <cstring>

#include "cli/program_fixture.h"

namespace heed::cli {
namespace {

using namespace heed::testing;

std::string golden(const std::string& name) { return shared_path("goldens/" + name); }

TEST(EncoderCommands, Classify) {
  HEED_NEEDS_SHARED("goldens/bert_classify");
  const std::string text = "A small brown dog runs across the wet grass.\n\nTwo women are sitting on a bench.\n";
  const std::string model = golden("bert_classify");
  const auto plain = run_well({"classify", "--model", model, "--window", "2"}, {.text = text});
  EXPECT_THAT(plain.output, ::testing::StartsWith("negative\t0.5883\n"));
  EXPECT_EQ(lines_of(plain.output).size(), 3u);
  const auto json = run_json_lines({"classify", "--model", model, "--top-k", "2"}, {.text = text});
  ASSERT_EQ(json.size(), 3u);
  EXPECT_EQ(json[0]["labels"].size(), 2u);
  EXPECT_NEAR(json[0]["labels"][0]["score"].get<double>(), 0.5882744, 1e-4);
  // A pair without a second text is the first alone.
  const auto pairs = run_well({"classify", "--model", model, "--pairs"}, {.text = "A dog runs.\t\nA dog.\tIt runs.\n"});
  const auto alone = run_well({"classify", "--model", model}, {.text = "A dog runs.\n"});
  EXPECT_THAT(pairs.output, ::testing::StartsWith(alone.output));
  run_refused({"classify", "--model", model, "--pairs"}, 4, "standard input:2: expected two columns",
              {.text = "a\tb\nno tab\n"});
  run_refused({"classify", "--model", golden("bert_tag")}, 3, "token classification", {.text = text});
}

TEST(EncoderCommands, Tag) {
  HEED_NEEDS_SHARED("goldens/bert_tag");
  const std::string text = "Zürich has a dog.\n\nA small brown dog runs.\n";
  EXPECT_EQ(lines_of(run_well({"tag", "--model", golden("bert_tag")}, {.text = text}).output).size(), 3u);
  const auto lines = run_json_lines({"tag", "--model", golden("bert_tag"), "--words", "--all"}, {.text = text});
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
  const Json answer =
      run_json({"answer", "--model", model, "--question", "Who runs?", "--context", context})["answers"][0];
  const auto begin = answer["begin"].get<size_t>(), end = answer["end"].get<size_t>();
  EXPECT_EQ(answer["text"], context.substr(begin, end - begin));
  const std::string both =
      "Who runs?\t" + context + "\n" + Json{{"question", "Who runs?"}, {"context", context}}.dump() + "\n";
  const auto lines = run_json_lines({"answer", "--model", model}, {.text = both});
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0], lines[1]);
  EXPECT_EQ(lines[0]["answers"][0], answer);
  run_refused({"answer", "--model", model}, 4, "standard input:2: expected an object with \"question\"",
              {.text = "q\tc\n{\"question\": 3}\n"});
  EXPECT_EQ(run_heed({"answer", "--model", model, "--question", "x"}).exit_code, 2);
}

TEST(EncoderCommands, FillMask) {
  HEED_NEEDS_SHARED("goldens/bert_mlm");
  const std::string model = golden("bert_mlm");
  const auto lines = run_json_lines({"fill-mask", "--model", model, "--top-k", "2"},
                                    {.text = "A small [MASK] runs across the wet grass.\nTwo [MASK] are [MASK].\n"});
  EXPECT_EQ(lines.at(0)["masks"].size(), 1u);
  EXPECT_EQ(lines.at(1)["masks"].size(), 2u);
  EXPECT_EQ(lines[0]["masks"][0][0]["id"], 1101);
  EXPECT_EQ(lines[0]["masks"][0][0]["token"], "between");
  EXPECT_NEAR(lines[0]["masks"][0][0]["score"].get<double>(), 0.8500078, 1e-4);
  run_refused({"fill-mask", "--model", model}, 4, "standard input:1: the text has no [MASK]", {.text = "No mask.\n"});
}

// Refused before the model is opened.
TEST(EncoderCommands, WhatWouldDoNothingBesideAnotherOptionIsRefused) {
  run_refused({"answer", "--model", "m", "--null-threshold", "1"}, 2, "--null-threshold needs --null");
  run_refused({"answer", "--model", "m", "--question", "q", "--context", "c", "--input", "f"}, 2, "--input is for");
  run_refused({"summarize", "--model", "m", "--document", "d", "--input", "f"}, 2, "takes the place of --input");
  run_refused({"train", "translation", "--tsv", "t", "--separate-vocabularies", "--share-embeddings", "--output", "m"},
              2, "--share-embeddings needs a joint vocabulary");
}

TEST(EncoderCommands, InfoShowsTheSizesOfEachFamily) {
  const auto sizes = [](const std::string& folder) {
    return run_well({"info", source_path("tests/golden/models/" + folder)}).output;
  };
  EXPECT_THAT(sizes("gpt2_legacy_names"), ::testing::ContainsRegex("n_embd +[0-9]"));
  EXPECT_THAT(sizes("distilbert_base"), ::testing::ContainsRegex("n_layers +[0-9]"));
  EXPECT_THAT(sizes("vit_no_pooler"), ::testing::Not(::testing::HasSubstr("encoder_layers")));
}

TEST(EncoderCommands, Embed) {
  HEED_NEEDS_SHARED("goldens/distilbert");
  const std::string model = golden("distilbert"), text = "What is it?\nA dog.\n";
  const auto json = run_json_lines({"embed", "--model", model}, {.text = text});
  const auto bytes = run_well({"embed", "--model", model, "--format", "f32"}, {.text = text}).output;
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
