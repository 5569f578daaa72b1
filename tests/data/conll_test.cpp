// Tagged text: column files, JSON lines, and the schemes of tags; the counts of CoNLL-2003 and WNUT17.
#include "heed/data/conll.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>

#include "made_files.h"
#include "message_of.h"

namespace heed::data {
namespace {

using heed::testing::message_of;
using heed::testing::put;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

using Tags = std::vector<std::string>;

TaggedText read(std::string_view content, const ConllOptions& options = {}) {
  const testing::TemporaryFolder folder;
  return read_conll(put(folder, "t.conll", content), options);
}

std::string reason(std::string_view content, const ConllOptions& options = {}) {
  return message_of<DataError>([&] { read(content, options); });
}

TEST(Conll, ColumnsByBlanks) {
  const TaggedText text = read("-DOCSTART- -X- O\n\nEU  NNP I-ORG\nrejects VBZ O \n \n\nPeter NNP I-PER");
  ASSERT_EQ(text.sentences.size(), 2u);
  EXPECT_EQ(text.sentences[0], (TaggedSentence{{"EU", "rejects"}, {"I-ORG", "O"}, 3}));
  EXPECT_EQ(text.sentences[1], (TaggedSentence{{"Peter"}, {"I-PER"}, 7}));
  EXPECT_THAT(text.where(0, 1), EndsWith("t.conll:4"));
  EXPECT_THAT(text.documents, ElementsAre(0));
}

TEST(Conll, DocumentsAreMarked) {
  const std::string mark = "-DOCSTART- O\n\n";
  EXPECT_THAT(read(mark + "a O\n\nb O\n" + mark + mark + "c O\n").documents, ElementsAre(0, 2));
  EXPECT_THAT(read("a O\n\nb O\n").documents, ElementsAre());
  EXPECT_THAT(read("a O\n" + mark + "b O\n" + mark).documents, ElementsAre(1));
}

TEST(Conll, ColumnsByTab) {
  const TaggedText text = read("New York\tB-LOC\r\n\u00a0\tO\r\n\t\r\n#\tO\r\n");
  ASSERT_EQ(text.sentences.size(), 2u);
  EXPECT_THAT(text.sentences[0].words, ElementsAre("New York", "\u00a0"));
  EXPECT_THAT(text.sentences[1].words, ElementsAre("#"));
}

TEST(Conll, ColumnsByNumber) {
  const TaggedText text = read("1 EU NNP I-ORG\n2 is VBZ O\n", {.word_column = 2, .tag_column = 3});
  EXPECT_EQ(text.sentences[0], (TaggedSentence{{"EU", "is"}, {"NNP", "VBZ"}, 1}));
}

TEST(Conll, DamageIsNamed) {
  EXPECT_THAT(reason("a O\n\nb O O\n"),
              HasSubstr("t.conll:3: expected 2 columns separated by blanks, as the first line has, got 3"));
  EXPECT_THAT(reason("a\tO\nb O\n"), HasSubstr("t.conll:2: expected 2 columns separated by TAB"));
  EXPECT_THAT(reason("\nword\n"), HasSubstr("t.conll:2: expected at least 2 columns, got 1"));
  EXPECT_THAT(reason("a b\n", {.tag_column = 3}), HasSubstr("t.conll:1: expected at least 3 columns, got 2"));
  EXPECT_THAT(reason("a\tO\n\tO\n"), HasSubstr("t.conll:2: the word is empty"));
  EXPECT_THAT(reason("a\tO\nb\t\n"), HasSubstr("t.conll:2: the tag is empty"));
  EXPECT_THAT(reason("a O\n\xff O\n"), HasSubstr("t.conll:2: byte 1 (0xff) is not valid UTF-8"));
  EXPECT_THAT(reason(""), EndsWith("t.conll: holds no sentence"));
  EXPECT_THAT(reason("-DOCSTART- O\n\n"), EndsWith("t.conll: holds no sentence"));
}

TEST(Conll, JsonLines) {
  const testing::TemporaryFolder folder;
  const auto read = [&](std::string_view content) { return read_tagged_jsonl(put(folder, "t.jsonl", content)); };
  const TaggedText text = read(
      "{\"tokens\": [\"a\", \"b c\"], \"tags\": [\"O\", \"B-X\"], \"id\": 3}\n"
      "{\"tokens\": [], \"tags\": []}\n{\"tokens\": [\"d\"], \"tags\": [\"O\"]}\n");
  ASSERT_EQ(text.sentences.size(), 2u);
  EXPECT_EQ(text.sentences[0], (TaggedSentence{{"a", "b c"}, {"O", "B-X"}, 1}));
  EXPECT_THAT(text.where(1, 0), EndsWith("t.jsonl:3"));
  EXPECT_THAT(text.where(0, 1), EndsWith("t.jsonl:1"));
  EXPECT_EQ(
      read_tagged_jsonl(put(folder, "o.jsonl", "{\"w\": [\"a\"], \"ner\": [\"O\"]}"), "w", "ner").sentences.size(), 1u);
  const auto reason = [&](std::string_view content) { return message_of<DataError>([&] { read(content); }); };
  EXPECT_THAT(reason("{\"tokens\": [\"a\"], \"tags\": []}"),
              HasSubstr("t.jsonl:1: 1 words in \"tokens\", but 0 tags in \"tags\""));
  EXPECT_THAT(reason("{\"tokens\": [\"a\"]}"), HasSubstr("t.jsonl:1: the key \"tags\" is missing"));
  EXPECT_THAT(reason("{\"tokens\": \"a\", \"tags\": []}"),
              HasSubstr("t.jsonl:1: \"tokens\": expected a list of strings, got a string"));
  EXPECT_THAT(reason("{\"tokens\": [\"a\"], \"tags\": [3]}"), HasSubstr("but item 1 is a number"));
  EXPECT_THAT(reason("{\"tokens\": [\"a\"], \"tags\": [\"\"]}"), HasSubstr("t.jsonl:1: a tag is empty"));
  EXPECT_THAT(reason("{\"tokens\": [\"a\"], \"tags\": [\"O\"]}\n{"), HasSubstr("t.jsonl:2: not valid JSON"));
  EXPECT_THAT(reason("{\"tokens\": [], \"tags\": []}"), EndsWith("t.jsonl: holds no sentence"));
}

TagScheme scheme_of(const std::vector<Tags>& sentences) {
  std::vector<TaggedSentence> tagged;
  for (const Tags& tags : sentences) tagged.push_back({tags, tags, 1});
  return detect_tag_scheme(tagged);
}

TEST(TagScheme, IsDetected) {
  EXPECT_EQ(scheme_of({{"O", "I-A"}}), TagScheme::kIob1);
  EXPECT_EQ(scheme_of({{"B-A", "I-A", "I-B"}}), TagScheme::kIob1);
  EXPECT_EQ(scheme_of({{"B-A"}, {"I-A"}}), TagScheme::kIob1);  // a sentence ends an entity
  EXPECT_EQ(scheme_of({{"B-A", "I-A", "B-A"}, {"O"}}), TagScheme::kBio);
  EXPECT_EQ(scheme_of({{"B-A", "E-A", "O", "S-B"}}), TagScheme::kBioes);
  EXPECT_EQ(scheme_of({{"NN", "O"}}), TagScheme::kPlain);
  EXPECT_EQ(scheme_of({{"B-A", "I-"}}), TagScheme::kPlain);
  EXPECT_EQ(scheme_of({{"O", "O"}}), TagScheme::kPlain);
}

TEST(TagScheme, BecomesBio) {
  EXPECT_EQ(to_bio(Tags{"I-A", "I-A", "B-A", "I-B", "O", "I-B"}), (Tags{"B-A", "I-A", "B-A", "B-B", "O", "B-B"}));
  EXPECT_EQ(to_bio(Tags{"B-A", "I-A", "E-A", "S-A", "B-A", "E-A", "E-A"}),
            (Tags{"B-A", "I-A", "I-A", "B-A", "B-A", "I-A", "B-A"}));
  const Tags bio = {"O", "B-A-1", "I-A-1", "B-A-1", "B-C", "O"};
  EXPECT_EQ(to_bio(bio), bio);
  TaggedText plain;
  plain.sentences.push_back({{"a", "b"}, {"B-A", "NN"}, 1});
  EXPECT_EQ(convert_to_bio(plain), TagScheme::kPlain);
  EXPECT_EQ(plain.sentences[0].tags, (Tags{"B-A", "NN"}));
}

// One slip of the pen must not make entities words of no scheme.
TEST(TagScheme, ATagThatIsNoEntitysIsNamed) {
  TaggedText text = read("a O\nb I-PER\n\nc PER\n");
  EXPECT_THAT(message_of<DataError>([&] { convert_to_bio(text); }),
              HasSubstr("t.conll:4: the tag \"PER\" is neither O nor a type behind B-, I-, E- or S-"));
  text = read("a O\nb I-\nc B-PER\n");
  EXPECT_THAT(message_of<DataError>([&] { convert_to_bio(text); }), HasSubstr("t.conll:2: the tag \"I-\""));
  text = read("a NN\nb O\n");
  EXPECT_EQ(convert_to_bio(text), TagScheme::kPlain);
}

struct Counts {
  size_t sentences = 0, tokens = 0;
  std::map<std::string, int> entities;  // by type, counted at their B
};

Counts counts_of(const TaggedText& text) {
  Counts counts{text.sentences.size(), 0, {}};
  for (const TaggedSentence& sentence : text.sentences) {
    counts.tokens += sentence.words.size();
    for (const std::string& tag : sentence.tags)
      if (tag.starts_with("B-")) ++counts.entities[tag.substr(2)];
  }
  return counts;
}

// The counts that the data's card gives, which are the published ones.
TEST(Conll, Conll2003) {
  HEED_NEEDS_SHARED("data/conll2003");
  TaggedText text = read_conll(testing::shared_path("data/conll2003/eng.testa.gz"));
  EXPECT_EQ(convert_to_bio(text), TagScheme::kIob1);
  const Counts counts = counts_of(text);
  EXPECT_EQ(counts.sentences, 3250u);
  EXPECT_EQ(counts.tokens, 51362u);
  EXPECT_EQ(counts.entities, (std::map<std::string, int>{{"LOC", 1837}, {"MISC", 922}, {"ORG", 1341}, {"PER", 1842}}));
  EXPECT_EQ(detect_tag_scheme(text.sentences), TagScheme::kBio);
}

TEST(Conll, Wnut17) {
  HEED_NEEDS_SHARED("data/wnut17");
  for (const auto& [name, sentences, tokens] : {std::tuple("wnut17train.conll", 3394u, 62730u),
                                                {"emerging.dev.conll", 1009u, 15733u},
                                                {"emerging.test.annotated", 1287u, 23394u}}) {
    TaggedText text = read_conll(testing::shared_path(fmt::format("data/wnut17/{}.gz", name)));
    EXPECT_EQ(convert_to_bio(text), TagScheme::kBio) << name;
    EXPECT_EQ(text.sentences.size(), sentences) << name;
    EXPECT_EQ(counts_of(text).tokens, tokens) << name;
  }
}

}  // namespace
}  // namespace heed::data
