// tokenizer.json executed, against what `tokenizers` and transformers recorded: the folders of the shared goldens, the
// shared vocabularies of BERT and GPT-2, and our own cases for every component
// (tools/record_goldens/tokenizer_cases.py).
#include "heed/text/pipeline_tokenizer.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <sstream>

#include "corpus.h"
#include "heed/base/error.h"
#include "heed/base/files.h"

namespace heed::text {
namespace {

namespace fs = std::filesystem;
using heed::testing::shared_lines;
using heed::testing::shared_path;
using heed::testing::source_path;
using heed::testing::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using Ids = std::vector<int32_t>;
using Tokenizer = std::shared_ptr<const PipelineTokenizer>;

std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

TokenizedText run_case(const PipelineTokenizer& tokenizer, const Json& test) {
  const bool special = test["special"];
  if (test.contains("words")) return tokenizer.tokenize_words(test["words"].get<std::vector<std::string>>(), special);
  const auto text = test["text"].get<std::string>();
  if (test.contains("second")) return tokenizer.tokenize_pair(text, test["second"].get<std::string>(), special);
  return tokenizer.tokenize(text, special);
}

void expect_case(const PipelineTokenizer& tokenizer, const Json& test) {
  SCOPED_TRACE(test.contains("text") ? test["text"].dump() : test["words"].dump());
  const TokenizedText out = run_case(tokenizer, test);
  const auto ids = test["ids"].get<Ids>();
  EXPECT_EQ(out.ids, ids);
  EXPECT_EQ(out.types, test["types"].get<Ids>());
  Ids spans;
  for (const CharacterSpan& span : out.characters) {
    spans.push_back(static_cast<int32_t>(span.begin));
    spans.push_back(static_cast<int32_t>(span.end));
  }
  EXPECT_EQ(spans, test["characters"].get<Ids>());
  EXPECT_EQ(out.words, test["word_ids"].get<Ids>());
  EXPECT_EQ(Ids(out.texts.begin(), out.texts.end()), test["texts"].get<Ids>());
  if (!test.contains("decoded")) return;
  EXPECT_EQ(tokenizer.decode(ids), test["decoded"].get<std::string>());
  EXPECT_EQ(tokenizer.decode(ids, false), test["decoded_special"].get<std::string>());
  if (test["special"]) {
    EXPECT_EQ(tokenizer.encode(test["text"].get<std::string>()), ids);
  }
}

TEST(PipelineTokenizer, EveryComponentDoesWhatTheLibraryDoes) {
  size_t files = 0, cases = 0;
  for (const fs::path& file : files_in(source_path("tests/golden/tokenizers"))) {
    SCOPED_TRACE(file.filename().string());
    const Json golden = read_json(file);
    const Tokenizer tokenizer = PipelineTokenizer::from_json(golden["tokenizer"], Json(), file.filename().string());
    for (const Json& test : golden["cases"]) expect_case(*tokenizer, test), ++cases;
    // Written back, nothing is lost.
    EXPECT_EQ(tokenizer->to_json(), golden["tokenizer"]);
    ++files;
  }
  EXPECT_GE(files, 35u);
  EXPECT_GE(cases, 1000u);
}

TEST(PipelineTokenizer, SharedGoldensHaveTheirIdsAndTexts) {
  HEED_NEEDS_SHARED("goldens");
  size_t folders = 0;
  for (const fs::path& folder : files_in(shared_path("goldens"))) {
    if (!fs::exists(folder / "golden_tokenizer.json")) continue;
    SCOPED_TRACE(folder.string());
    ++folders;
    const Tokenizer tokenizer = PipelineTokenizer::load(folder);
    const Json golden = read_json(folder / "golden_tokenizer.json");
    for (const Json& test : golden["single"]) {
      const auto text = test["text"].get<std::string>();
      SCOPED_TRACE(test["text"].dump());
      const auto ids = test["ids"].get<Ids>();
      EXPECT_EQ(tokenizer->encode(text), ids);
      EXPECT_EQ(tokenizer->tokenize(text).ids, ids);
      EXPECT_EQ(tokenizer->tokenize(text, false).ids, test["ids_no_special"].get<Ids>());
      EXPECT_EQ(tokenizer->decode(ids), test["decoded"].get<std::string>());
      EXPECT_EQ(tokenizer->decode(ids, false), test["decoded_with_special"].get<std::string>());
    }
    for (const Json& test : golden["pair"]) {
      const TokenizedText out = tokenizer->tokenize_pair(test["a"].get<std::string>(), test["b"].get<std::string>());
      EXPECT_EQ(out.ids, test["ids"].get<Ids>());
      if (test["token_type_ids"].is_array()) {
        EXPECT_EQ(out.types, test["token_type_ids"].get<Ids>());
      }
    }
  }
  EXPECT_GE(folders, 12u);
}

// The document that transformers makes of BERT's vocab.txt.
Tokenizer bert_tokenizer() {
  Json vocab = Json::object();
  auto& object = vocab.get_ref<Json::object_t&>();
  int32_t id = 0;
  for (const std::string& line : shared_lines("data/tokenizers/bert-base-uncased/vocab.txt.gz"))
    object.emplace_back(line, id++);
  return PipelineTokenizer::from_json({{"normalizer", {{"type", "BertNormalizer"}}},
                                       {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
                                       {"model", {{"type", "WordPiece"}, {"vocab", std::move(vocab)}}}},
                                      Json(), "bert-base-uncased");
}

TEST(PipelineTokenizer, BertsVocabularyGivesTheIdsOfTheOriginalTokenizer) {
  HEED_NEEDS_SHARED("data/tokenizers/bert-base-uncased");
  const Tokenizer tokenizer = bert_tokenizer();
  size_t questions = 0;
  for (const std::string& line : shared_lines("data/tokenizers/bert-base-uncased/squad_questions.jsonl.gz")) {
    const Json test = parse_json(line, "squad_questions");
    const auto text = test[test.contains("text") ? "text" : "question"].get<std::string>();
    ASSERT_EQ(tokenizer->encode(text), test["ids"].get<Ids>()) << text;
    ++questions;
  }
  EXPECT_EQ(questions, 10570u);
  std::istringstream edges(read_file(shared_path("data/tokenizers/bert-base-uncased/edge_cases.jsonl")));
  for (std::string line; std::getline(edges, line);) {
    const Json test = parse_json(line, "edge_cases");
    EXPECT_EQ(tokenizer->encode(test["text"].get<std::string>()), test["ids"].get<Ids>()) << line;
  }
}

Tokenizer gpt2_tokenizer() {
  std::string text;
  for (const std::string& line : shared_lines("data/tokenizers/gpt2/vocab.json.gz")) text += line + "\n";
  Json merges = Json::array();
  for (const std::string& line : shared_lines("data/tokenizers/gpt2/merges.txt.gz"))
    if (!line.empty()) merges.push_back(line);
  const Json level = {{"type", "ByteLevel"}, {"add_prefix_space", false}};
  return PipelineTokenizer::from_json(
      {{"pre_tokenizer", level},
       {"decoder", level},
       {"model", {{"type", "BPE"}, {"vocab", parse_json(text, "vocab.json")}, {"merges", std::move(merges)}}}},
      Json(), "gpt2");
}

TEST(PipelineTokenizer, Gpt2sFilesGiveItsIds) {
  HEED_NEEDS_SHARED("data/tokenizers/gpt2");
  const Tokenizer tokenizer = gpt2_tokenizer();
  std::istringstream lines(read_file(shared_path("data/tokenizers/gpt2/cases.jsonl")));
  size_t cases = 0;
  for (std::string line; std::getline(lines, line); ++cases) {
    const Json test = parse_json(line, "cases");
    const auto text = test["text"].get<std::string>();
    EXPECT_EQ(tokenizer->encode(text), test["ids"].get<Ids>()) << text;
    EXPECT_EQ(tokenizer->decode(test["ids"].get<Ids>()), text);
  }
  EXPECT_EQ(cases, 54u);
}

const Json kWords = {{"<unk>", 0}, {"a", 1}, {"b", 2}, {"a</w>", 3}};

Json words_document() {
  return {{"pre_tokenizer", {{"type", "WhitespaceSplit"}}},
          {"model", {{"type", "WordLevel"}, {"vocab", kWords}, {"unk_token", "<unk>"}}}};
}

Tokenizer words_tokenizer(Json document = words_document(), Json config = Json()) {
  return PipelineTokenizer::from_json(std::move(document), std::move(config), "tokenizer.json");
}

TEST(PipelineTokenizer, TheConfigNamesAndAddsSpecialTokens) {
  const Json config = {{"bos_token", "<s>"},
                       {"eos_token", {{"content", "</s>"}, {"lstrip", true}}},
                       {"unk_token", "<unk>"},
                       {"pad_token", nullptr},
                       {"extra_special_tokens", {"<x>"}},
                       {"added_tokens_decoder", {{"9", {{"content", "zz"}, {"special", false}, {"normalized", true}}}}},
                       {"add_bos_token", true},
                       {"add_eos_token", true},
                       {"clean_up_tokenization_spaces", true},
                       {"model_max_length", 77}};
  const Tokenizer t = words_tokenizer(words_document(), config);
  EXPECT_EQ(t->id("zz"), 4);
  EXPECT_EQ(t->bos_id(), 5);
  EXPECT_EQ(t->eos_id(), 6);
  EXPECT_EQ(t->id("<x>"), 7);
  EXPECT_EQ(t->unk_id(), 0);
  EXPECT_EQ(t->pad_id(), -1);
  EXPECT_EQ(t->vocab_size(), 8);
  EXPECT_EQ(t->max_length(), 77u);
  EXPECT_THAT(t->encode("a  </s>b zz c"), ElementsAre(5, 1, 6, 2, 4, 0, 6));
  const TokenizedText pair = t->tokenize_pair("a", "b");
  EXPECT_THAT(pair.ids, ElementsAre(5, 1, 6, 5, 2, 6));
  EXPECT_THAT(pair.types, ElementsAre(0, 0, 0, 1, 1, 1));
  EXPECT_EQ(t->decode(Ids{5, 1, 4, 7, 6}), "a zz");
  EXPECT_EQ(t->decode(Ids{5, 1, 6}, false), "<s> a </s>");
  EXPECT_EQ(t->decode(Ids{1, 1000}), "a");  // as transformers, which passes over ids that no token has
  EXPECT_THROW(t->decode(Ids{-1}), UsageError);
  EXPECT_THROW(t->token(8), UsageError);
  EXPECT_EQ(t->token(7), "<x>");
  EXPECT_EQ(t->id("none"), -1);
}

TEST(PipelineTokenizer, TextsAreCutIntoPartsAndPadded) {
  const Json config = {{"bos_token", "<s>"}, {"add_bos_token", true}, {"pad_token", "<p>"}};
  const Tokenizer t = words_tokenizer(words_document(), config);  // <s> is 4, <p> 5
  Truncation truncation;
  truncation.max_length = 4;
  truncation.stride = 1;
  auto ids = [](const std::vector<TokenizedText>& parts) {
    std::vector<Ids> all;
    for (const TokenizedText& part : parts) all.push_back(part.ids);
    return all;
  };
  EXPECT_THAT(ids(t->tokenize_parts("a b a b a b", std::nullopt, truncation)),
              ElementsAre(Ids{4, 1, 2, 1}, Ids{4, 1, 2, 1}, Ids{4, 1, 2}));
  truncation.from_left = true;
  EXPECT_THAT(ids(t->tokenize_parts("a b a b", std::nullopt, truncation)), ElementsAre(Ids{4, 2, 1, 2}, Ids{4, 1, 2}));
  truncation = {6, 0, Truncation::Strategy::kOnlySecond, false};
  EXPECT_THAT(ids(t->tokenize_parts("a a", "b b b b", truncation)),
              ElementsAre(Ids{4, 1, 1, 4, 2, 2}, Ids{4, 1, 1, 4, 2, 2}));
  truncation.strategy = Truncation::Strategy::kLongestFirst;
  EXPECT_EQ(ids(t->tokenize_parts("a a a", "b b b b", truncation))[0], (Ids{4, 1, 1, 4, 2, 2}));
  truncation.max_length = 1;
  EXPECT_THROW(t->tokenize_parts("a", "b", truncation), UsageError);
  truncation = {3, 2, Truncation::Strategy::kLongestFirst, false};
  EXPECT_THROW(t->tokenize_parts("a b a b", std::nullopt, truncation), UsageError);

  std::vector<TokenizedText> batch{t->tokenize("a"), t->tokenize("a b a")};
  Padding padding;
  padding.id = t->pad_id();
  padding.at_left = true;
  pad(batch, padding);
  EXPECT_THAT(batch[0].ids, ElementsAre(5, 5, 4, 1));
  EXPECT_THAT(batch[0].texts, ElementsAre(-1, -1, -1, 0));
  padding = {0, 3, false, 5, 0};
  pad(batch, padding);
  EXPECT_EQ(batch[1].ids.size(), 6u);
  EXPECT_EQ(batch[1].characters.size(), 6u);
}

TEST(PipelineTokenizer, SectionsForBatchesAreRead) {
  Json document = words_document();
  document["truncation"] = {{"direction", "Left"}, {"max_length", 9}, {"strategy", "OnlyFirst"}, {"stride", 2}};
  document["padding"] = {{"strategy", {{"Fixed", 7}}}, {"direction", "Right"}, {"pad_to_multiple_of", 8}, {"pad_id", 1},
                         {"pad_type_id", 2},           {"pad_token", "a"}};
  const Tokenizer t = words_tokenizer(document);
  ASSERT_TRUE(t->truncation() && t->padding());
  EXPECT_EQ(t->truncation()->max_length, 9u);
  EXPECT_TRUE(t->truncation()->from_left);
  EXPECT_EQ(t->padding()->length, 7u);
  EXPECT_EQ(t->padding()->type, 2);
  EXPECT_EQ(t->encode("a b").size(), 2u);  // a single text is left alone
}

TEST(PipelineTokenizer, SavesWhatItRead) {
  HEED_NEEDS_SHARED("goldens/llama");
  const TemporaryFolder folder;
  PipelineTokenizer::load(shared_path("goldens/llama"))->save(folder / "out");
  EXPECT_EQ(read_json(folder / "out" / "tokenizer.json"), read_json(shared_path("goldens/llama/tokenizer.json")));
  EXPECT_EQ(read_json(folder / "out" / "tokenizer_config.json"),
            read_json(shared_path("goldens/llama/tokenizer_config.json")));
}

TEST(PipelineTokenizer, ComplaintsNameThePlace) {
  const auto expect = [](const std::string& pointer, Json value, const std::string& message) {
    Json document = words_document();
    document[Json::json_pointer(pointer)] = std::move(value);
    EXPECT_THAT([&] { words_tokenizer(document); }, ThrowsMessage<FormatError>(HasSubstr(message))) << message;
  };
  expect("/normalizer", {{"type", "Sequence"}, {"normalizers", {{{"type", "NFC"}}, {{"type", "Foo"}}}}},
         "tokenizer.json: normalizer.normalizers[1].type: expected a type of normalizer that is known, got \"Foo\"");
  expect("/pre_tokenizer/type", "Foo", "tokenizer.json: pre_tokenizer.type: expected");
  expect("/pre_tokenizer", {{"type", "Digits"}, {"individual_digits", 1}},
         "pre_tokenizer.individual_digits: expected true or false, got 1");
  expect("/model/type", "Foo", "tokenizer.json: model.type: expected a type of model");
  expect("/model/vocab/a", -1, "model.vocab: expected the id of \"a\" to be a number");
  expect("/model/vocab/a", 2, "have the same id 2");
  expect("/model", 5, "tokenizer.json: model: expected an object");
  expect("/decoder", {{"type", "Foo"}}, "tokenizer.json: decoder.type");
  expect("/post_processor", {{"type", "Foo"}}, "tokenizer.json: post_processor.type");
  expect("/post_processor", {{"type", "BertProcessing"}, {"sep", {"x", 1}}, {"cls", {"x"}}}, "post_processor.cls");
  expect("/added_tokens", {{{"content", 5}}}, "tokenizer.json: added_tokens[0].content: expected a string, got 5");
  expect("/pre_tokenizer", {{"type", "Split"}, {"pattern", {{"Regex", "(a"}}}, {"behavior", "Isolated"}},
         "pre_tokenizer.pattern.Regex: the regular expression \"(a\"");
  expect("/pre_tokenizer", {{"type", "Split"}, {"pattern", {{"Regex", "[a&&b]"}}}, {"behavior", "Isolated"}},
         "an intersection of sets");
  expect("/normalizer", {{"type", "Precompiled"}, {"precompiled_charsmap", "AA*A"}}, "expected base64");
  Json bpe = {{"type", "BPE"}, {"vocab", {{"a", 0}, {"b", 1}}}, {"merges", {"a b"}}};
  expect("/model", bpe, "model.merges[0]: the vocabulary has no token \"ab\"");
  bpe["merges"] = {"a  b"};
  expect("/model", bpe, "model.merges[0]: expected two tokens");
  bpe["merges"] = Json::array();
  bpe["dropout"] = 0.1;
  expect("/model", bpe, "model.dropout: expected no dropout");
  expect("/model", {{"type", "Unigram"}, {"vocab", Json::array({Json::array({"a", 0.0})})}, {"unk_id", 1}},
         "model.unk_id");
  Json nested = {{"type", "NFC"}};
  for (int i = 0; i < 20; ++i) nested = {{"type", "Sequence"}, {"normalizers", {nested}}};
  expect("/normalizer", nested, "sequences within each other");
  Json document = words_document();
  document["model"].erase("unk_token");
  EXPECT_THAT([&] { words_tokenizer(document)->encode("c"); }, ThrowsMessage<DataError>(HasSubstr("\"c\"")));
}

// A megabyte of what is hard for some tokenizer.
#ifdef __SANITIZE_THREAD__
constexpr size_t kHostileBytes = 1 << 17;  // in the same time: ThreadSanitizer takes twenty times as long
#else
constexpr size_t kHostileBytes = 1 << 20;
#endif

std::vector<std::pair<std::string, std::string>> hostile_texts() {
  std::vector<std::pair<std::string, std::string>> texts;
  for (const auto& [name, unit] :
       std::vector<std::pair<std::string, std::string>>{{"one letter", "a"},
                                                        {"combining marks", "\u0301"},
                                                        {"two classes of marks", "\u0301\u0323"},
                                                        {"no spaces", "thequickbrownfox"},
                                                        {"underscores", "_"},
                                                        {"digits", "7"},
                                                        {"zero width joiners", "\u200D"},
                                                        {"emoji", "\U0001F469\u200D"},
                                                        {"flags", "\U0001F1E9"},
                                                        {"invalid UTF-8", "\xFF\xC3"},
                                                        {"spaces", " "},
                                                        {"line ends", "\n"},
                                                        {"ideographs", "\u5B57"},
                                                        {"added tokens", "<mask> "}}) {
    std::string text;
    while (text.size() < kHostileBytes) text += unit;
    texts.emplace_back(name, std::move(text));
  }
  return texts;
}

void expect_linear(const PipelineTokenizer& tokenizer, const std::string& which) {
  for (const auto& [name, text] : hostile_texts()) {
    const auto start = std::chrono::steady_clock::now();
    const TokenizedText out = tokenizer.tokenize(text);
    tokenizer.decode(out.ids);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    // Some 0.2 s on an idle machine; quadratic time would be minutes.
    EXPECT_LT(seconds.count(), 5) << which << ", " << kHostileBytes << " bytes of " << name;
  }
}

TEST(PipelineTokenizer, HostileTextsTakeLinearTime) {
  for (const char* name :
       {"bpe_bytes", "llama3", "regex_words", "bert_accents", "unigram_nfkc", "unigram_precompiled", "added_tokens"}) {
    const fs::path file = source_path("tests/golden/tokenizers") / (std::string(name) + ".json");
    expect_linear(*PipelineTokenizer::from_json(read_json(file)["tokenizer"], Json(), name), name);
  }
}

TEST(PipelineTokenizer, RegularExpressionsThatExplodeAreStopped) {
  Json document = words_document();
  document["pre_tokenizer"] = {{"type", "Split"}, {"pattern", {{"Regex", "(a|a)+$"}}}, {"behavior", "Isolated"}};
  const Tokenizer t = words_tokenizer(document);
  EXPECT_THAT([&] { t->encode(std::string(60, 'a') + "b"); }, ThrowsMessage<DataError>(HasSubstr("(a|a)+$")));
}

}  // namespace
}  // namespace heed::text
