// tokenizer_config.json of Marian folders.
#include "heed/text/marian_config.h"

#include <gmock/gmock.h>

#include "heed/base/error.h"

namespace heed::text {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(MarianConfig, SpecialTokensAreTextsOrObjects) {
  SpecialTokens special;
  EXPECT_THAT(special.all(), ElementsAre("</s>", "<unk>", "<pad>"));
  special.read(Json{{"unk_token", "[UNK]"},
                    {"eos_token", {{"content", "[EOS]"}, {"lstrip", false}}},
                    {"pad_token", nullptr},
                    {"bos_token", "[BOS]"},
                    {"extra_special_tokens", {"[X]", {{"content", "[Y]"}}, "[BOS]"}},
                    {"additional_special_tokens", {"[Z]"}}},
               "c.json");
  EXPECT_EQ(special.unk, "[UNK]");
  EXPECT_THAT(special.all(), ElementsAre("[EOS]", "[UNK]", "<pad>", "[BOS]", "[X]", "[Y]"));
  special.read(Json{{"additional_special_tokens", {"[Z]"}}}, "c.json");
  EXPECT_EQ(special.all().back(), "[Z]");
}

TEST(MarianConfig, AddedTokensKeepIdsAndFlags) {
  EXPECT_TRUE(read_added_tokens(Json::object(), "c.json").empty());
  const auto tokens = read_added_tokens(Json{{"added_tokens_decoder",
                                              {{"0", {{"content", "</s>"}, {"special", true}}},
                                               {"17", {{"content", "x"}, {"lstrip", true}, {"rstrip", true}}}}}},
                                        "c.json");
  ASSERT_EQ(tokens.size(), 2u);
  EXPECT_EQ(tokens[0].id, 0);
  EXPECT_FALSE(tokens[0].lstrip || tokens[0].rstrip);
  EXPECT_EQ(tokens[1].content, "x");
  EXPECT_EQ(tokens[1].id, 17);
  EXPECT_TRUE(tokens[1].lstrip && tokens[1].rstrip);
}

TEST(MarianConfig, DamageIsNamed) {
  const auto refused = [](const Json& config, const char* message) {
    EXPECT_THAT(
        [&] {
          SpecialTokens().read(config, "c.json");
          read_added_tokens(config, "c.json");
          read_flag(config, "separate_vocabs", "c.json");
        },
        ThrowsMessage<FormatError>(HasSubstr(message)))
        << message;
  };
  refused({{"eos_token", 3}}, "c.json: expected eos_token to be a token, got 3");
  refused({{"eos_token", {{"text", "x"}}}}, "expected eos_token to be a token");
  refused({{"eos_token", ""}}, "expected eos_token to be a token of 1 to 1000 bytes, got 0");
  refused({{"extra_special_tokens", {std::string(1001, 'x')}}}, "got 1001");
  refused({{"added_tokens_decoder", {"x"}}}, "expected added_tokens_decoder to be an object, got array");
  for (const char* key : {"", "-1", "x", "1x", "4194304", "99999999"})
    refused({{"added_tokens_decoder", {{key, {{"content", "x"}}}}}}, "expected an id of 0 to 4194303");
  refused({{"added_tokens_decoder", {{"1", {{"content", "x"}, {"lstrip", 1}}}}}},
          "expected lstrip to be true or false");
  refused({{"separate_vocabs", "yes"}}, "expected separate_vocabs to be true or false, got \"yes\"");
  EXPECT_THROW(
      read_added_tokens({{"added_tokens_decoder", {{"1", {{"content", "x"}, {"single_word", true}}}}}}, "c.json"),
      ConfigError);
}

TEST(MarianConfig, NewConfigsHoldWhatTransformersReads) {
  const Json config = make_marian_config(true, "en", "", 0, 1, 70);
  EXPECT_EQ(config["tokenizer_class"], "MarianTokenizer");
  EXPECT_EQ(config["separate_vocabs"], true);
  EXPECT_EQ(config["source_lang"], "en");
  EXPECT_TRUE(config["target_lang"].is_null());
  EXPECT_EQ(config["added_tokens_decoder"]["70"]["content"], "<pad>");
  EXPECT_EQ(config["added_tokens_decoder"]["70"]["special"], true);
  EXPECT_EQ(config["added_tokens_decoder"].size(), 3u);
}

}  // namespace
}  // namespace heed::text
