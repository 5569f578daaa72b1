// vocab.json: reading, writing, refusing.
#include "heed/text/vocabulary.h"

#include <gmock/gmock.h>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "shared_files.h"

namespace heed::text {
namespace {

using heed::testing::TemporaryFolder;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class VocabularyTest : public ::testing::Test {
 protected:
  Vocabulary load(const std::string& json) {
    write_file_atomically(folder_ / "vocab.json", json);
    return Vocabulary::load(folder_ / "vocab.json");
  }

  TemporaryFolder folder_;
};

TEST_F(VocabularyTest, ReadsTokensAndIdsWithGaps) {
  const Vocabulary vocabulary = load(R"({"b": 3, "\u2581a": 0, "": 1})");
  EXPECT_EQ(vocabulary.count(), 3u);
  EXPECT_EQ(vocabulary.size(), 4);
  EXPECT_EQ(vocabulary.id("\xE2\x96\x81"
                          "a"),
            0);
  EXPECT_EQ(vocabulary.id(""), 1);
  EXPECT_FALSE(vocabulary.id("c").has_value());
  EXPECT_EQ(*vocabulary.token(3), "b");
  for (const int32_t none : {-1, 2, 4}) EXPECT_EQ(vocabulary.token(none), nullptr);
}

TEST_F(VocabularyTest, IsWrittenInTheOrderOfIds) {
  load(R"({"b": 3, "\u2581a": 0, "\"": 1})").save(folder_ / "out.json");
  EXPECT_EQ(read_file(folder_ / "out.json"),
            "{\n  \"\xE2\x96\x81"
            "a\": 0,\n  \"\\\"\": 1,\n  \"b\": 3\n}\n");
  EXPECT_EQ(Vocabulary::load(folder_ / "out.json").id("b"), 3);
}

TEST_F(VocabularyTest, DamageIsNamed) {
  const auto refused = [&](const char* json, const char* message) {
    EXPECT_THAT([&] { load(json); }, ThrowsMessage<FormatError>(HasSubstr(message))) << json;
  };
  refused("[1]", "vocab.json: expected an object of tokens and ids, got array");
  refused(R"({"a": -1})", "expected the id of \"a\" to be a number of 0 to 4194303, got -1");
  refused(R"({"a": 4194304})", "got 4194304");
  refused(R"({"a": 1e3})", "got 1000.0");
  refused(R"({"a": "1"})", "got \"1\"");
  refused(R"({"a": 18446744073709551615})", "expected the id");
  refused(R"({"a": 1, "b": 1})", "the tokens \"a\" and \"b\" have the same id 1");
  refused(R"({"a": 1, "a": 2})", "appears twice");
  refused("{", "not valid JSON");
  EXPECT_THROW(Vocabulary::load(folder_ / "none.json"), IoError);
}

}  // namespace
}  // namespace heed::text
