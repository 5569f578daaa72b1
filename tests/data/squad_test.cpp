// SQuAD's JSON: what comes of it, and the place that errors name.
#include "heed/data/squad.h"

#include <gmock/gmock.h>

#include "heed/base/json.h"
#include "heed/base/utf8.h"
#include "made_files.h"
#include "message_of.h"

namespace heed::data {
namespace {

using heed::testing::gzip;
using heed::testing::message_of;
using heed::testing::put;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Two paragraphs; the second one's offsets differ in bytes, UTF-16 units and code points.
Json small_file() {
  return parse_json(R"({"version": "v2.0", "data": [{"title": "T", "paragraphs": [
    {"context": "Oslo is in Norway.", "qas": [
      {"id": "a", "question": "Where is Oslo?", "answers": [{"text": "in Norway", "answer_start": 8},
                                                            {"text": "Norway", "answer_start": 11}]},
      {"id": "b", "question": "Who is Oslo?", "is_impossible": true, "answers": []}]},
    {"context": "😀 é Å", "qas": [
      {"id": "c", "question": "?", "is_impossible": false, "answers": [{"text": "Å", "answer_start": 4}]}]}]}]})",
                    "t.json");
}

SquadData read(const std::string& content) {
  const testing::TemporaryFolder folder;
  return read_squad(put(folder, "t.json", content));
}

// What is said of the file changed by `change`, behind its path.
template <class Change>
std::string reason(Change&& change) {
  Json file = small_file();
  change(file["data"][0]["paragraphs"]);
  const std::string message = message_of<DataError>([&] { read(file.dump()); });
  const size_t name = message.find("t.json: ");
  return name == std::string::npos ? message : message.substr(name);
}

TEST(Squad, Reads) {
  const SquadData data = read(small_file().dump());
  EXPECT_THAT(data.contexts, ElementsAre("Oslo is in Norway.", "😀 é Å"));
  ASSERT_EQ(data.questions.size(), 3u);
  EXPECT_EQ(data.questions[0].question, "Where is Oslo?");
  EXPECT_THAT(data.questions[0].answers, ElementsAre(SquadAnswer{"in Norway", 8}, SquadAnswer{"Norway", 11}));
  EXPECT_FALSE(data.questions[0].impossible);
  EXPECT_TRUE(data.questions[1].impossible);
  EXPECT_EQ(data.questions[2].context, 1u);
  EXPECT_THAT(data.where(2), EndsWith("t.json: question c"));
  EXPECT_EQ(read(gzip(small_file().dump())).questions.size(), 3u);
}

TEST(Squad, DamageIsNamedByItsPlace) {
  const std::string place = "t.json: article 1 (T), paragraph 1, question ";
  EXPECT_THAT(reason([](Json& p) { p[0]["qas"][0].erase("question"); }),
              StartsWith(place + "1 (a): the key \"question\" is missing"));
  EXPECT_THAT(reason([](Json& p) { p[0]["qas"][1].erase("id"); }), StartsWith(place + "2: the key \"id\" is missing"));
  EXPECT_THAT(reason([](Json& p) { p[0]["qas"][1]["id"] = 7; }),
              StartsWith(place + "2: \"id\": expected a string, got a number"));
  EXPECT_THAT(reason([](Json& p) { p[0]["qas"][0].erase("answers"); }),
              StartsWith(place + "1: the key \"answers\" is missing"));
  EXPECT_THAT(reason([](Json& p) { p[0]["qas"][0]["answers"][0].erase("answer_start"); }),
              StartsWith(place + "1 (a): the answer \"in Norway\" lacks a whole number \"answer_start\""));
  for (const int64_t start : {int64_t{-1}, int64_t{7}, int64_t{18}, int64_t{1} << 40})
    EXPECT_THAT(
        reason([&](Json& p) { p[0]["qas"][0]["answers"][0]["answer_start"] = start; }),
        StartsWith(place + fmt::format("1 (a): the answer \"in Norway\" does not stand at character {}", start)));
  EXPECT_THAT(reason([](Json& p) { p[0]["qas"][0]["answers"][0]["text"] = ""; }),
              StartsWith(place + "1 (a): an answer is empty"));
  EXPECT_THAT(reason([](Json& p) { p[0]["qas"][0]["answers"] = Json::array(); }),
              StartsWith(place + "1 (a): no answer, though"));
  EXPECT_THAT(reason([](Json& p) { p[0]["qas"][0]["is_impossible"] = true; }),
              StartsWith(place + "1 (a): \"is_impossible\" is true, but there are answers"));
  EXPECT_THAT(reason([](Json& p) { p[0]["qas"][0]["is_impossible"] = "no"; }), HasSubstr("expected true or false"));
  EXPECT_THAT(
      reason([](Json& p) { p[1]["qas"][0]["id"] = "b"; }),
      StartsWith("t.json: article 1 (T), paragraph 2, question 1 (b): the same id as article 1 (T), paragraph 1, "
                 "question 2"));
  EXPECT_THAT(reason([](Json& p) { p[1].erase("context"); }),
              StartsWith("t.json: article 1 (T), paragraph 2: the key \"context\" is missing"));
  EXPECT_THAT(reason([](Json& p) { p[1] = 3; }),
              StartsWith("t.json: article 1 (T), paragraph 2: expected an object, got a number"));
  EXPECT_THAT(reason([](Json& p) { p = "x"; }),
              StartsWith("t.json: article 1: \"paragraphs\": expected a list, got a"));
  EXPECT_THAT(message_of<DataError>([] { read("{\"data\": ["); }), HasSubstr("t.json: not valid JSON"));
  EXPECT_THAT(message_of<DataError>([] { read("{\"data\": []}"); }), EndsWith("t.json: holds no question"));
  EXPECT_THAT(message_of<DataError>([] { read("[]"); }), HasSubstr("t.json: expected an object, got a list"));
}

TEST(Squad, Shared) {
  HEED_NEEDS_SHARED("data/squad");
  const SquadData data = read_squad(testing::shared_path("data/squad/valid.json.gz"));
  EXPECT_EQ(data.questions.size(), 613u);
  for (const SquadQuestion& question : data.questions) {
    EXPECT_FALSE(question.answers.empty());
    EXPECT_LT(question.context, data.contexts.size());
  }
}

}  // namespace
}  // namespace heed::data
