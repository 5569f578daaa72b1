// heed tokenizer as a process, against ids and pieces of SentencePiece 0.1.97 and the tokenizer of a Marian folder.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <sstream>

#include "cli/run_program.h"
#include "heed/base/files.h"
#include "heed/base/json.h"
#include "heed/text/marian_tokenizer.h"
#include "shared_files.h"

namespace heed::cli {
namespace {

using heed::testing::run_heed;
using heed::testing::shared_path;
using ::testing::HasSubstr;

constexpr const char* kModels = "data/tokenizers/sentencepiece";
constexpr const char* kMarian = "models/marian-multi30k-en-de";

std::vector<std::string> split(const std::string& text, char end) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, end);) parts.push_back(part);
  return parts;
}

std::string unzipped(const std::filesystem::path& file) {
  std::string text, buffer(1 << 16, '\0');
  const gzFile in = ::gzopen(file.c_str(), "rb");
  for (int n = 0; (n = ::gzread(in, buffer.data(), static_cast<unsigned>(buffer.size()))) > 0;)
    text.append(buffer, 0, static_cast<size_t>(n));
  ::gzclose(in);
  return text;
}

// The cases whose text is one line that the rules of data/line_reader.h leave as it is.
std::vector<Json> cases_of_one_line(const std::string& model) {
  std::vector<Json> cases;
  for (const std::string& line : split(unzipped(shared_path(kModels) / (model + ".cases.jsonl.gz")), '\n')) {
    Json example = parse_json(line, "cases");
    const auto text = example["text"].get<std::string>();
    const bool changed = text.empty() || text.find_first_of(std::string("\n\r\0", 3)) != std::string::npos ||
                         text.starts_with("\xEF\xBB\xBF");
    if (!changed) cases.push_back(std::move(example));
  }
  return cases;
}

std::string joined(const Json& items) {
  std::string text;
  for (const Json& item : items) {
    if (!text.empty()) text += ' ';
    text += item.is_string() ? item.get<std::string>() : item.dump();
  }
  return text;
}

TEST(TokenizerCommand, EncodesAndDecodesAsSentencePiece) {
  HEED_NEEDS_SHARED(kModels);
  for (const std::string model : {"test_model", "mozilla_vocab", "test_ja_model"}) {
    const std::string file = shared_path(kModels) / (model + ".model");
    const std::vector<Json> cases = cases_of_one_line(model);
    ASSERT_GT(cases.size(), 500u);
    std::string texts, ids, pieces;
    for (const Json& example : cases) {
      texts += example["text"].get<std::string>() + "\n";
      ids += joined(example["ids"]) + "\n";
      pieces += joined(example["pieces"]) + "\n";
    }
    EXPECT_EQ(run_heed({"tokenizer", "encode", "--model", file, "--format", "ids"}, {.text = texts}).output, ids);
    EXPECT_EQ(run_heed({"tokenizer", "encode", "--model", file}, {.text = texts}).output, pieces);
    const auto decoded =
        split(run_heed({"tokenizer", "decode", "--model", file, "--format", "ids"}, {.text = ids}).output, '\n');
    ASSERT_EQ(decoded.size(), cases.size());
    for (size_t i = 0; i < cases.size(); ++i) EXPECT_EQ(decoded[i], cases[i]["decoded"].get<std::string>());
    const auto json = split(run_heed({"tokenizer", "encode", "--model", file, "--json"}, {.text = texts}).output, '\n');
    ASSERT_EQ(json.size(), cases.size());
    EXPECT_EQ(parse_json(json[5], "output")["ids"], cases[5]["ids"]);
    EXPECT_EQ(parse_json(json[5], "output")["tokens"], cases[5]["pieces"]);
  }
}

TEST(TokenizerCommand, AMarianFolderHasTwoSides) {
  HEED_NEEDS_SHARED(kMarian);
  const std::string folder = shared_path(kMarian);
  const auto tokenizer = text::MarianTokenizer::load(folder);
  const std::string line = "Ein Mann mit einem orangefarbenen Hut.";
  const auto expected = [&](const std::vector<int32_t>& ids) { return joined(Json(ids)) + "\n"; };
  const auto source = run_heed({"tokenizer", "encode", "--model", folder, "--format", "ids"}, {.text = line + "\n"});
  const auto target = run_heed({"tokenizer", "encode", "--model", folder, "--format", "ids", "--side", "target"},
                               {.text = line + "\n"});
  EXPECT_EQ(source.output, expected(tokenizer.encode_source(line)));
  EXPECT_EQ(target.output, expected(tokenizer.encode_target(line)));
  EXPECT_EQ(run_heed({"tokenizer", "decode", "--model", folder, "--format", "ids"}, {.text = target.output}).output,
            line + "\n");
  const auto pieces = run_heed({"tokenizer", "encode", "--model", folder, "--side", "target"}, {.text = line + "\n"});
  EXPECT_THAT(pieces.output, ::testing::EndsWith(" </s>\n"));
  EXPECT_EQ(run_heed({"tokenizer", "decode", "--model", folder}, {.text = pieces.output}).output, line + "\n");
}

TEST(TokenizerCommand, TrainsFromTextAndEncodesWithTheResult) {
  const heed::testing::TemporaryFolder folder;
  ASSERT_EQ(run_heed({"demo-corpus", "--output", folder / "corpus", "--train", "4000", "--valid", "0", "--test", "20"})
                .exit_code,
            0);
  for (const std::string type : {"unigram", "bpe"}) {
    const std::string model = folder / (type + ".model");
    const auto trained = run_heed({"tokenizer", "train", "--input", folder / "corpus/train.en", "--input",
                                   folder / "corpus/train.zh", "--vocab-size", "600", "--model-type", type,
                                   "--character-coverage", "1", "--output", model, "--json"});
    ASSERT_EQ(trained.exit_code, 0) << trained.error;
    const Json report = parse_json(trained.output, "output");
    EXPECT_EQ(report["pieces"], 600);
    EXPECT_EQ(report["lines"], 8000);
    EXPECT_EQ(report["used"], 8000);
    const std::string held_out = read_file(folder / "corpus/test.zh");
    const auto encoded = run_heed({"tokenizer", "encode", "--model", model}, {.text = held_out});
    EXPECT_THAT(encoded.output, ::testing::Not(HasSubstr("<unk>")));
    EXPECT_EQ(run_heed({"tokenizer", "decode", "--model", model}, {.text = encoded.output}).output.substr(0, 20),
              held_out.substr(0, 20));
  }
}

TEST(TokenizerCommand, TrainsFoldersOfEveryKindAndRunsThem) {
  const heed::testing::TemporaryFolder folder;
  const std::string corpus = heed::testing::source_path("tests/golden/tokenizer_trainer/corpus.txt");
  const std::string text = read_file(corpus);
  for (const std::string kind : {"byte-bpe", "wordpiece", "unigram", "characters"}) {
    const std::string model = folder / kind;
    const auto trained = run_heed({"tokenizer", "train", "--kind", kind, "--input", corpus, "--vocab-size", "400",
                                   "--special", "<note>", "--output", model, "--json"});
    ASSERT_EQ(trained.exit_code, 0) << trained.error;
    const Json report = parse_json(trained.output, "output");
    EXPECT_EQ(report["lines"], 188);
    EXPECT_EQ(report["tokens"], kind == "characters" ? 72 : 400);
    // A folder and its tokenizer.json are the same tokenizer.
    const auto ids = run_heed({"tokenizer", "encode", "--model", model, "--format", "ids"}, {.text = text});
    const auto same =
        run_heed({"tokenizer", "encode", "--model", model + "/tokenizer.json", "--format", "ids"}, {.text = text});
    ASSERT_EQ(ids.exit_code, 0) << ids.error;
    EXPECT_EQ(ids.output, same.output);
    const auto decoded = run_heed({"tokenizer", "decode", "--model", model, "--format", "ids"}, {.text = ids.output});
    if (kind == "byte-bpe" || kind == "characters") {
      EXPECT_EQ(decoded.output, text);
    }
    const auto json = run_heed({"tokenizer", "encode", "--model", model, "--json"}, {.text = "you <note>\n"});
    const Json line = parse_json(json.output, "output");
    EXPECT_EQ(line["ids"].size(), line["tokens"].size());
    EXPECT_EQ(line["ids"].size(), line["offsets"].size());
    EXPECT_THAT(line["tokens"].dump(), HasSubstr("<note>"));
    EXPECT_THAT(line["offsets"].dump(), HasSubstr("[4,10]"));
  }
  const auto with = run_heed({"tokenizer", "encode", "--model", folder / "wordpiece"}, {.text = "we\n"});
  const auto without =
      run_heed({"tokenizer", "encode", "--model", folder / "wordpiece", "--no-special-tokens"}, {.text = "we\n"});
  EXPECT_EQ(with.output, "[CLS] " + without.output.substr(0, without.output.size() - 1) + " [SEP]\n");
  EXPECT_EQ(run_heed({"tokenizer", "decode", "--model", folder / "wordpiece"}, {.text = with.output}).output, "we\n");
  const auto wrong = run_heed(
      {"tokenizer", "train", "--kind", "byte-bpe", "--input", corpus, "--lowercase", "--output", folder / "x"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.error, HasSubstr("--lowercase is an option of --kind wordpiece"));
  const auto symbol = run_heed(
      {"tokenizer", "train", "--kind", "unigram", "--input", corpus, "--symbol", "a", "--output", folder / "x"});
  EXPECT_EQ(symbol.exit_code, 2);
  EXPECT_FALSE(std::filesystem::exists(folder / "x"));
}

TEST(TokenizerCommand, Errors) {
  HEED_NEEDS_SHARED(kModels);
  const std::string model = shared_path(kModels) / "test_model.model";
  const auto number = run_heed({"tokenizer", "decode", "--model", model, "--format", "ids"}, {.text = "5\n7 x\n"});
  EXPECT_EQ(number.exit_code, 4);
  EXPECT_EQ(number.error, "heed: error: standard input:2: expected a whole number, got 'x'\n");
  const auto range = run_heed({"tokenizer", "decode", "--model", model, "--format", "ids"}, {.text = "1000\n"});
  EXPECT_EQ(range.exit_code, 4);
  EXPECT_EQ(range.error, "heed: error: standard input:1: expected ids from 0 to 999, got 1000\n");
  const heed::testing::TemporaryFolder folder;
  write_file_atomically(folder / "bad.model", "no model");
  EXPECT_EQ(run_heed({"tokenizer", "encode", "--model", folder / "bad.model"}).exit_code, 3);
  EXPECT_EQ(run_heed({"tokenizer", "encode", "--model", folder / "none.model"}).exit_code, 1);
  write_file_atomically(folder / "empty.txt", "");
  EXPECT_NE(run_heed({"tokenizer", "train", "--input", folder / "empty.txt", "--output", folder / "m"}).exit_code, 0);
  EXPECT_FALSE(std::filesystem::exists(folder / "m"));
}

}  // namespace
}  // namespace heed::cli
