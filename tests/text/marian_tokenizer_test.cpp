// The Marian tokenizer on the shared model's folder, on folders in the manner of OPUS, and on new ones. Folders of each
// of these kinds were compared with MarianTokenizer of transformers 5.17 on 6,464 lines: ids and texts were the same.
#include "heed/text/marian_tokenizer.h"

#include <gmock/gmock.h>

#include "corpus.h"
#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/json.h"
#include "model_bytes.h"

namespace heed::text {
namespace {

using heed::testing::model_bytes;
using heed::testing::shared_lines;
using heed::testing::shared_path;
using heed::testing::small_model;
using heed::testing::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr const char* kFolder = "models/marian-multi30k-en-de";
constexpr const char* kSpace = "\xE2\x96\x81";

TEST(MarianTokenizer, TheSharedModelsIdsAreItsPieces) {
  HEED_NEEDS_SHARED(kFolder);
  ASSERT_TRUE(MarianTokenizer::is_in(shared_path(kFolder)));
  const MarianTokenizer tokenizer = MarianTokenizer::load(shared_path(kFolder));
  const auto oracle = heed::testing::make_oracle(read_file(shared_path(kFolder) / "source.spm"));
  EXPECT_EQ(tokenizer.eos_id(), 0);
  EXPECT_EQ(tokenizer.unk_id(), 1);
  EXPECT_EQ(tokenizer.pad_id(), 8000);
  EXPECT_EQ(tokenizer.vocab_size(), 8001);
  EXPECT_EQ(tokenizer.source_vocab_size(), 8001);
  EXPECT_FALSE(tokenizer.separate_vocabs());
  EXPECT_EQ(tokenizer.token(8000), "<pad>");
  EXPECT_EQ(tokenizer.source_token(2), ".");
  EXPECT_THROW(tokenizer.token(8001), UsageError);
  EXPECT_THROW(tokenizer.token(-1), UsageError);
  for (const std::string& line : shared_lines("data/multi30k/test_2016_flickr.en.gz")) {
    std::vector<int32_t> expected = oracle->EncodeAsIds(line);
    expected.push_back(0);
    ASSERT_EQ(tokenizer.encode_source(line), expected) << line;
    ASSERT_EQ(tokenizer.encode_target(line), expected) << line;
  }
}

TEST(MarianTokenizer, RecordedTranslationsSurviveEncodingAndDecoding) {
  HEED_NEEDS_SHARED(kFolder);
  const MarianTokenizer tokenizer = MarianTokenizer::load(shared_path(kFolder));
  size_t lines = 0;
  for (const char* file : {"test_2016_flickr.beam1.hyp.de", "test_2016_flickr.beam5.hyp.de"}) {
    for (const std::string& line : shared_lines(std::string(kFolder) + "/" + file)) {
      const std::vector<int32_t> ids = tokenizer.encode_target(line);
      ASSERT_EQ(tokenizer.decode_target(ids), line);
      ASSERT_EQ(tokenizer.decode_target(ids, false), line + "</s>");
      ++lines;
    }
  }
  EXPECT_EQ(lines, 2000u);
}

TEST(MarianTokenizer, SpecialTokensInTextAreThemselves) {
  HEED_NEEDS_SHARED(kFolder);
  const MarianTokenizer t = MarianTokenizer::load(shared_path(kFolder));
  EXPECT_THAT(t.encode(""), ElementsAre(0));
  EXPECT_THAT(t.encode("</s></s>"), ElementsAre(0, 0, 0));
  EXPECT_THAT(t.encode("a</s><pad> a"), ElementsAre(3, 0, 8000, 3, 0));
  EXPECT_THAT(t.encode(">>xx<< a"), ElementsAre(1, 3, 0));  // a language that the vocabulary does not have
  EXPECT_EQ(t.decode(std::vector<int32_t>{8000, 3, 1, 15, 0, 8000}), "a Mann");
  EXPECT_EQ(t.decode(std::vector<int32_t>{8000, 3, 1, 15, 0, 8000}, false), "<pad> a<unk> Mann</s> <pad>");
  EXPECT_THROW(t.decode(std::vector<int32_t>{8001}), UsageError);
  EXPECT_THROW(t.decode(std::vector<int32_t>{-1}), UsageError);
}

TEST(MarianTokenizer, TokensKnowWhereTheyStand) {
  HEED_NEEDS_SHARED(kFolder);
  const MarianTokenizer t = MarianTokenizer::load(shared_path(kFolder));
  const std::string text = " a  Mann</s> a";
  const TokenizedText out = t.tokenize(text);
  ASSERT_EQ(out.ids, t.encode(text));
  ASSERT_EQ(out.ids.size(), 5u);  // "a", "Mann", "</s>", "a", "</s>"
  EXPECT_THAT(out.characters, ElementsAre(CharacterSpan{1, 2}, CharacterSpan{4, 8}, CharacterSpan{8, 12},
                                          CharacterSpan{13, 14}, CharacterSpan{}));
  EXPECT_THAT(out.words, ElementsAre(0, 1, 2, 3, -1));
  EXPECT_THAT(out.texts, ElementsAre(0, 0, 0, 0, -1));
  EXPECT_THAT(out.types, ElementsAre(0, 0, 0, 0, 0));
  EXPECT_THAT(t.tokenize("a", false).ids, ElementsAre(3));
  EXPECT_EQ(t.id("<pad>"), 8000);
  EXPECT_EQ(t.id("."), 2);
  EXPECT_EQ(t.id("no such token"), -1);
  EXPECT_THROW(t.tokenize_pair("a", "b"), UsageError);
  EXPECT_THROW(t.tokenize_words(std::vector<std::string>{"a"}), UsageError);
  for (const std::string& line : shared_lines("data/multi30k/test_2016_flickr.en.gz"))
    ASSERT_EQ(t.tokenize(line).ids, t.encode(line)) << line;
}

TEST(MarianTokenizer, SavingTheSharedFolderLosesNothing) {
  HEED_NEEDS_SHARED(kFolder);
  TemporaryFolder folder;
  MarianTokenizer::load(shared_path(kFolder)).save(folder / "out");
  for (const char* file : {"source.spm", "target.spm"})
    EXPECT_EQ(read_file(folder / "out" / file), read_file(shared_path(kFolder) / file));
  for (const char* file : {"vocab.json", "tokenizer_config.json"})
    EXPECT_EQ(read_json(folder / "out" / file), read_json(shared_path(kFolder) / file)) << file;
  EXPECT_FALSE(std::filesystem::exists(folder / "out" / "target_vocab.json"));
}

// The bytes of a model with these pieces behind "</s>" and "<unk>".
std::string spm(const std::vector<std::string>& pieces) {
  std::vector<SentencePieceEntry> entries;
  for (const std::string& text : pieces) entries.push_back({text, -1.0f - static_cast<float>(entries.size())});
  return model_bytes(small_model(SegmentationType::kUnigram, entries));
}

std::string spaced(const std::string& text) { return kSpace + text; }

// A folder as OPUS models have it: the two models differ, the ids are those of one vocab.json, in another order.
class OpusFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    write_file_atomically(path() / "source.spm", spm({spaced("a"), spaced("dog"), "s", "."}));
    write_file_atomically(path() / "target.spm", spm({spaced("ein"), spaced("Hund"), "s", "e", "."}));
    write_json(path() / "vocab.json", Json{{"</s>", 0},
                                           {"<unk>", 1},
                                           {".", 2},
                                           {spaced("Hund"), 3},
                                           {spaced("dog"), 4},
                                           {"s", 5},
                                           {spaced("ein"), 6},
                                           {spaced("a"), 7},
                                           {">>de<<", 8},
                                           {spaced("?"), 9},
                                           {"<pad>", 10}});
    config(Json{{"source_lang", "en"}, {"target_lang", "de"}});
  }
  const std::filesystem::path& path() const { return folder_.path(); }
  void config(const Json& content) { write_json(path() / "tokenizer_config.json", content); }
  MarianTokenizer load() { return MarianTokenizer::load(path()); }

  TemporaryFolder folder_;
};

TEST_F(OpusFolder, IdsComeFromTheVocabulary) {
  const MarianTokenizer t = load();
  EXPECT_EQ(t.pad_id(), 10);
  EXPECT_EQ(t.vocab_size(), 11);
  EXPECT_THAT(t.encode_source(">>de<< a dogs."), ElementsAre(8, 7, 4, 5, 2, 0));
  EXPECT_THAT(t.encode_source(">>de<<a"), ElementsAre(8, 7, 0));
  EXPECT_THAT(t.encode_source(">>fr x<< a"), ElementsAre(1, 7, 0));
  EXPECT_THAT(t.encode_target(">>de<< ein Hund"), ElementsAre(8, 6, 3, 0));
  EXPECT_THAT(t.encode_target("Hunde"), ElementsAre(3, 1, 0));  // "e" is a piece, but not in the vocabulary
  EXPECT_THAT(t.encode_source("Hund"), ElementsAre(3, 0));      // no piece of the source, but in the vocabulary
  EXPECT_THAT(t.encode_source("?"), ElementsAre(9, 0));
  EXPECT_EQ(t.decode_target(std::vector<int32_t>{8, 6, 3, 5, 2, 0}), ">>de<< ein Hunds.");
  EXPECT_EQ(t.decode_source(std::vector<int32_t>{7, 4, 2, 0}, false), "a dog.</s>");
}

TEST_F(OpusFolder, NamesOfSpecialTokensMayStandInTheOldFile) {
  write_json(path() / "special_tokens_map.json",
             Json{{"eos_token", "."}, {"pad_token", {{"content", "<pad>"}, {"lstrip", false}}}});
  EXPECT_EQ(load().eos_id(), 2);
  config(Json{{"added_tokens_decoder", Json::object()}});  // a new folder's own list: the old file is not read
  EXPECT_EQ(load().eos_id(), 0);
}

TEST_F(OpusFolder, SpecialTokensOutsideTheVocabularyFollowIt) {
  config(Json{{"pad_token", "[P]"}, {"extra_special_tokens", {"[X]", ">>de<<"}}});
  const MarianTokenizer t = load();
  EXPECT_EQ(t.pad_id(), 11);
  EXPECT_EQ(t.vocab_size(), 13);
  EXPECT_THAT(t.encode("a[X]>>de<<"), ElementsAre(7, 12, 8, 0));
  EXPECT_EQ(t.decode(std::vector<int32_t>{8, 7, 12}), "a");
  EXPECT_EQ(t.decode(std::vector<int32_t>{8, 7, 12}, false), ">>de<< a[X]");
}

TEST_F(OpusFolder, SpacesBeforePunctuationAreCleanedWhereTheConfigSaysSo) {
  const std::vector<int32_t> ids = {7, 9, 4};
  EXPECT_EQ(load().decode_target(ids), "a ? dog");
  config(Json{{"clean_up_tokenization_spaces", true}});
  EXPECT_EQ(load().decode_target(ids), "a? dog");
}

TEST_F(OpusFolder, AnIdWithoutATokenFallsBackToThePiece) {
  write_json(path() / "vocab.json", Json{{"</s>", 0}, {"<unk>", 1}, {"<pad>", 5}});
  const MarianTokenizer t = load();
  EXPECT_EQ(t.decode_target(std::vector<int32_t>{2, 3, 4}), "a dogs");
  EXPECT_EQ(t.target_token(3), spaced("Hund"));
}

TEST_F(OpusFolder, DamageIsNamed) {
  const auto refused = [&](const char* message) {
    EXPECT_THAT([&] { load(); }, ThrowsMessage<FormatError>(HasSubstr(message))) << message;
  };
  config(Json{{"unk_token", "[U]"}});
  refused("expected the unknown token \"[U]\" among the 11 tokens of vocab.json");
  config(Json{{"added_tokens_decoder", {{"1", {{"content", "x"}}}, {"2", {{"content", "x"}}}}}});
  refused("the added token \"x\" appears twice");
  config(Json::array());
  refused("tokenizer_config.json: expected an object, got array");
  config(Json{{"separate_vocabs", true}});
  EXPECT_THAT([&] { load(); }, ThrowsMessage<IoError>(HasSubstr("target_vocab.json")));
  std::filesystem::remove(path() / "tokenizer_config.json");
  EXPECT_EQ(load().vocab_size(), 11);
  std::filesystem::remove(path() / "target.spm");
  EXPECT_FALSE(MarianTokenizer::is_in(path()));
  EXPECT_THAT([&] { load(); }, ThrowsMessage<IoError>(HasSubstr("target.spm")));
}

TEST(MarianTokenizer, ANewJointTokenizerSurvivesItsFolder) {
  TemporaryFolder folder;
  const MarianTokenizer made = MarianTokenizer::create_joint(spm({spaced("a"), spaced("Hund"), "b"}), {"en", "de"});
  EXPECT_EQ(made.pad_id(), 5);
  EXPECT_EQ(made.vocab_size(), 6);
  made.save(folder / "new" / "model");
  const MarianTokenizer read = MarianTokenizer::load(folder / "new" / "model");
  for (const MarianTokenizer& t : {made, read}) {
    EXPECT_EQ(t.eos_id(), 0);
    EXPECT_EQ(t.unk_id(), 1);
    EXPECT_EQ(t.pad_id(), 5);
    EXPECT_THAT(t.encode_source("a Hund?b"), ElementsAre(2, 3, 1, 4, 0));
    EXPECT_EQ(t.decode_target(t.encode_target("a Hundb")), "a Hundb");
  }
  const Json config = read_json(folder / "new" / "model" / "tokenizer_config.json");
  EXPECT_EQ(config["source_lang"], "en");
  EXPECT_EQ(config["target_lang"], "de");
  EXPECT_EQ(config["separate_vocabs"], false);
}

TEST(MarianTokenizer, NewSeparateVocabulariesShareThePad) {
  TemporaryFolder folder;
  const MarianTokenizer made = MarianTokenizer::create_separate(
      spm({spaced("a"), spaced("dog")}), spm({spaced("ein"), spaced("Hund"), "e", "<unused0>"}), {"en", "de"});
  made.save(folder.path());
  const MarianTokenizer read = MarianTokenizer::load(folder.path());
  for (const MarianTokenizer& t : {made, read}) {
    EXPECT_TRUE(t.separate_vocabs());
    EXPECT_EQ(t.pad_id(), 6);
    EXPECT_EQ(t.source_vocab_size(), 7);
    EXPECT_EQ(t.target_vocab_size(), 7);
    EXPECT_EQ(t.source_token(4), "<unused0>");
    EXPECT_EQ(t.source_token(6), "<pad>");
    EXPECT_EQ(t.target_token(6), "<pad>");
    EXPECT_THAT(t.encode_source("a dog ein"), ElementsAre(2, 3, 1, 0));
    EXPECT_THAT(t.encode_target("ein Hunde"), ElementsAre(2, 3, 4, 0));
    EXPECT_EQ(t.decode_target(std::vector<int32_t>{6, 2, 3, 4, 0}), "ein Hunde");
    EXPECT_EQ(t.decode_source(std::vector<int32_t>{2, 3, 0}), "a dog");
  }
}

TEST(MarianTokenizer, ModelsThatDoNotFitAreRefused) {
  SentencePieceModel without_eos = small_model(SegmentationType::kUnigram, {{"a", -1}});
  without_eos.pieces[0].text = "[END]";
  SentencePieceModel shifted = small_model(SegmentationType::kUnigram, {{"a", -1}});
  std::swap(shifted.pieces[0], shifted.pieces[1]);
  EXPECT_THAT([&] { MarianTokenizer::create_joint(model_bytes(without_eos), {}); },
              ThrowsMessage<ConfigError>(HasSubstr("expected a SentencePiece model with \"</s>\"")));
  EXPECT_THAT([&] { MarianTokenizer::create_separate(spm({"a"}), model_bytes(shifted), {}); },
              ThrowsMessage<ConfigError>(HasSubstr("one id in both SentencePiece models, got 0 and 1")));
  EXPECT_THAT([&] { MarianTokenizer::create_separate(spm({"<pad>"}), spm({"a"}), {}); },
              ThrowsMessage<ConfigError>(HasSubstr("without \"<pad>\"")));
  EXPECT_EQ(MarianTokenizer::create_joint(spm({"a", "<pad>", "b"}), {}).pad_id(), 3);  // the model's own
  EXPECT_THROW(MarianTokenizer::create_joint("junk", {}), FormatError);
}

TEST(MarianTokenizer, SamplesFollowTheRandomNumbers) {
  HEED_NEEDS_SHARED(kFolder);
  const MarianTokenizer t = MarianTokenizer::load(shared_path(kFolder));
  const std::string line = "</s> Zwei junge Frauen schwimmen im Wasser.";
  const Sampling sampling{0.1, -1};
  Random a(1), b(1), c(2);
  const std::vector<int32_t> first = t.sample_target(line, sampling, a);
  EXPECT_EQ(t.sample_target(line, sampling, b), first);
  EXPECT_NE(t.sample_target(line, sampling, c), first);
  EXPECT_NE(t.sample_source(line, sampling, a), t.encode_source(line));
  EXPECT_EQ(t.sample_source(line, {0.1, 1}, a), t.encode_source(line));
  EXPECT_EQ(first.front(), 0);
  EXPECT_EQ(first.back(), 0);
  EXPECT_EQ(t.decode_target(first), "Zwei junge Frauen schwimmen im Wasser.");
}

}  // namespace
}  // namespace heed::text
