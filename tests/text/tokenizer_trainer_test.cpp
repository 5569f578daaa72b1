// Tokenizers learnt from text: against the merges of Hugging Face's trainers, and against the ids, offsets and texts
// that transformers gives with the folders written (tools/record_goldens/tokenizer_trainer.py).
#include "heed/text/tokenizer_trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/text/line_reader.h"
#include "heed/text/tokenizer.h"
#include "shared_files.h"

namespace heed::text {
namespace {

using heed::testing::source_path;
using heed::testing::TemporaryFolder;
using ::testing::HasSubstr;

const std::vector<std::pair<std::string, TokenizerKind>> kKinds = {{"byte-bpe", TokenizerKind::kByteBpe},
                                                                   {"wordpiece", TokenizerKind::kWordPiece},
                                                                   {"unigram", TokenizerKind::kUnigram},
                                                                   {"characters", TokenizerKind::kCharacters}};

std::filesystem::path golden(const std::string& name) { return source_path("tests/golden/tokenizer_trainer/" + name); }

std::vector<std::string> corpus() {
  LineReader reader(golden("corpus.txt").string());
  std::vector<std::string> lines;
  for (std::string line; reader.next(line);) lines.push_back(line);
  return lines;
}

TrainedTokenizer train(TokenizerTrainOptions options) {
  options.special_tokens = {"<note>"};
  TokenizerTrainer trainer(options);
  for (const std::string& line : corpus()) trainer.add(line);
  return trainer.train();
}

TEST(TokenizerTrainer, FoldersRunAsInTransformers) {
  const Json recorded = read_json(golden("expected.json"));
  for (const auto& [name, kind] : kKinds) {
    SCOPED_TRACE(name);
    const Json& expected = recorded["kinds"][name];
    TokenizerTrainOptions options;
    options.kind = kind;
    options.vocab_size = expected["vocab_size"];
    const TrainedTokenizer trained = train(options);
    EXPECT_EQ(trained.tokens, expected["tokens"].get<size_t>());
    const TemporaryFolder folder;
    save_tokenizer(trained, folder.path());
    const auto tokenizer = load_tokenizer(folder.path());
    for (size_t i = 0; i < recorded["texts"].size(); ++i) {
      const std::string text = recorded["texts"][i];
      const TokenizedText tokenized = tokenizer->tokenize(text);
      EXPECT_EQ(Json(tokenized.ids), expected["cases"][i]["ids"]) << text;
      Json offsets = Json::array();
      for (const CharacterSpan& span : tokenized.characters) offsets.push_back({span.begin, span.end});
      EXPECT_EQ(offsets, expected["cases"][i]["offsets"]) << text;
      EXPECT_EQ(tokenizer->decode(tokenized.ids), expected["cases"][i]["text"].get<std::string>());
    }
  }
}

TEST(TokenizerTrainer, ByteMergesAreThoseOfHuggingFace) {
  const Json recorded = read_json(golden("expected.json"));
  TokenizerTrainOptions options;
  options.vocab_size = 500;
  const TrainedTokenizer trained = train(options);
  EXPECT_EQ(trained.tokenizer["model"]["merges"], recorded["merges"]);
  EXPECT_EQ(trained.tokenizer["model"]["vocab"].size(), 500u);
}

TEST(TokenizerTrainer, WordPiecesCutTextAsShortAsHuggingFaces) {
  TokenizerTrainOptions options;
  options.kind = TokenizerKind::kWordPiece;
  options.vocab_size = 300;
  const TemporaryFolder folder;
  save_tokenizer(train(options), folder.path());
  const auto tokenizer = load_tokenizer(folder.path());
  double pieces = 0;
  for (const std::string& line : corpus()) pieces += static_cast<double>(tokenizer->tokenize(line, false).ids.size());
  const auto expected = read_json(golden("expected.json"))["word_pieces"].get<double>();
  EXPECT_LT(std::abs(pieces / expected - 1), 0.005) << pieces << " and " << expected;
}

TEST(TokenizerTrainer, TheSameLinesGiveTheSameFiles) {
  for (const auto& [name, kind] : kKinds) {
    TokenizerTrainOptions options;
    options.kind = kind;
    options.vocab_size = 400;
    const TrainedTokenizer first = train(options), second = train(options);
    EXPECT_EQ(first.tokenizer.dump(), second.tokenizer.dump()) << name;
    EXPECT_EQ(first.config.dump(), second.config.dump()) << name;
  }
}

TEST(TokenizerTrainer, CharactersAreOneTokenEachAndDecodeToTheText) {
  TokenizerTrainOptions options;
  options.kind = TokenizerKind::kCharacters;
  const TemporaryFolder folder;
  save_tokenizer(train(options), folder.path());
  const auto tokenizer = load_tokenizer(folder.path());
  const std::string text = "First Citizen:\nBefore we proceed any further, \xC3\xBC!";
  const auto ids = tokenizer->encode(text);
  EXPECT_EQ(ids.size(), 48u);
  EXPECT_EQ(tokenizer->decode(ids), text);
  EXPECT_EQ(tokenizer->encode("\xE2\x82\xAC"), std::vector<int32_t>{tokenizer->unk_id()});
  options.vocab_size = 20;
  EXPECT_EQ(train(options).tokens, 20u);
}

TEST(TokenizerTrainer, RefusesWhatCannotBe) {
  const auto error = [](TokenizerTrainOptions options) {
    try {
      TokenizerTrainer trainer(options);
      trainer.add("abc");
      trainer.train();
    } catch (const ConfigError& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  TokenizerTrainOptions options;
  options.vocab_size = 200;
  EXPECT_THAT(error(options), HasSubstr("cannot hold 1 special tokens and 256 characters; expected at least 257"));
  options.limit_alphabet = 5;
  EXPECT_THAT(error(options), HasSubstr("the alphabet of bytes cannot be limited"));
  options = {};
  options.special_tokens = {"<|endoftext|>"};
  EXPECT_THAT(error(options), HasSubstr("'<|endoftext|>' is there twice"));
  options.special_tokens = {""};
  EXPECT_THAT(error(options), HasSubstr("expected special tokens"));
  TokenizerTrainer nothing({});
  EXPECT_THROW(nothing.train(), DataError);
  nothing.add("");
  EXPECT_THROW(nothing.train(), DataError);
}

}  // namespace
}  // namespace heed::text
