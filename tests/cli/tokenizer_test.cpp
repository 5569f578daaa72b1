// heed tokenizer as a process, against ids and pieces of SentencePiece 0.1.97 and the tokenizer of a Marian folder.
#include <zlib.h>

#include "cli/program_fixture.h"
#include "heed/text/marian_tokenizer.h"

namespace heed::cli {
namespace {

using namespace heed::testing;
using ::testing::HasSubstr;
using TokenizerCommand = ProgramTest;

constexpr const char* kModels = "data/tokenizers/sentencepiece";
constexpr const char* kMarian = "models/marian-multi30k-en-de";

std::string unzipped(const std::filesystem::path& file) {
  std::string text, buffer(1 << 16, '\0');
  const gzFile in = ::gzopen(file.c_str(), "rb");
  for (int n = 0; (n = ::gzread(in, buffer.data(), static_cast<unsigned>(buffer.size()))) > 0;)
    text.append(buffer, 0, static_cast<size_t>(n));
  ::gzclose(in);
  return text;
}

// The cases whose text is one line that the rules of text/line_reader.h leave as it is.
std::vector<Json> cases_of_one_line(const std::string& model) {
  std::vector<Json> cases;
  for (Json& example : json_lines(unzipped(shared_path(kModels) / (model + ".cases.jsonl.gz")))) {
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

TEST_F(TokenizerCommand, EncodesAndDecodesAsSentencePiece) {
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
    EXPECT_EQ(run_well({"tokenizer", "encode", "--model", file, "--format", "ids"}, {.text = texts}).output, ids);
    EXPECT_EQ(run_well({"tokenizer", "encode", "--model", file}, {.text = texts}).output, pieces);
    const auto decoded =
        lines_of(run_well({"tokenizer", "decode", "--model", file, "--format", "ids"}, {.text = ids}).output);
    ASSERT_EQ(decoded.size(), cases.size());
    for (size_t i = 0; i < cases.size(); ++i) EXPECT_EQ(decoded[i], cases[i]["decoded"].get<std::string>());
    const auto json = run_json_lines({"tokenizer", "encode", "--model", file}, {.text = texts});
    ASSERT_EQ(json.size(), cases.size());
    EXPECT_EQ(json[5]["ids"], cases[5]["ids"]);
    EXPECT_EQ(json[5]["tokens"], cases[5]["pieces"]);
  }
}

TEST_F(TokenizerCommand, AMarianFolderHasTwoSides) {
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

TEST_F(TokenizerCommand, TrainsFromTextAndEncodesWithTheResult) {
  run_well({"demo-corpus", "--output", path("corpus"), "--train", "4000", "--valid", "0", "--test", "20"});
  for (const std::string type : {"unigram", "bpe"}) {
    const std::string model = path(type + ".model");
    const Json report =
        run_json({"tokenizer", "train", "--input", path("corpus/train.en"), "--input", path("corpus/train.zh"),
                  "--vocab-size", "600", "--model-type", type, "--character-coverage", "1", "--output", model});
    EXPECT_EQ(report["pieces"], 600);
    EXPECT_EQ(report["lines"], 8000);
    EXPECT_EQ(report["used"], 8000);
    const std::string held_out = read_file(path("corpus/test.zh"));
    const auto encoded = run_heed({"tokenizer", "encode", "--model", model}, {.text = held_out});
    EXPECT_THAT(encoded.output, ::testing::Not(HasSubstr("<unk>")));
    EXPECT_EQ(run_heed({"tokenizer", "decode", "--model", model}, {.text = encoded.output}).output.substr(0, 20),
              held_out.substr(0, 20));
  }
}

TEST_F(TokenizerCommand, TrainsFoldersOfEveryKindAndRunsThem) {
  const std::string corpus = source_path("tests/golden/tokenizer_trainer/corpus.txt");
  const std::string text = read_file(corpus);
  for (const std::string kind : {"byte-bpe", "wordpiece", "unigram", "characters"}) {
    const std::string model = path(kind);
    const Json report = run_json({"tokenizer", "train", "--kind", kind, "--input", corpus, "--vocab-size", "400",
                                  "--special", "<note>", "--output", model});
    EXPECT_EQ(report["lines"], 188);
    EXPECT_EQ(report["tokens"], kind == "characters" ? 72 : 400);
    // A folder and its tokenizer.json are the same tokenizer.
    const auto ids = run_well({"tokenizer", "encode", "--model", model, "--format", "ids"}, {.text = text});
    const auto same =
        run_heed({"tokenizer", "encode", "--model", model + "/tokenizer.json", "--format", "ids"}, {.text = text});
    EXPECT_EQ(ids.output, same.output);
    const auto decoded = run_heed({"tokenizer", "decode", "--model", model, "--format", "ids"}, {.text = ids.output});
    if (kind == "byte-bpe" || kind == "characters") {
      EXPECT_EQ(decoded.output, text);
    }
    const Json line = run_json({"tokenizer", "encode", "--model", model}, {.text = "you <note>\n"});
    EXPECT_EQ(line["ids"].size(), line["tokens"].size());
    EXPECT_EQ(line["ids"].size(), line["offsets"].size());
    EXPECT_THAT(line["tokens"].dump(), HasSubstr("<note>"));
    EXPECT_THAT(line["offsets"].dump(), HasSubstr("[4,10]"));
  }
  const std::string wordpiece = path("wordpiece");
  const auto with = run_well({"tokenizer", "encode", "--model", wordpiece}, {.text = "we\n"});
  const auto without = run_well({"tokenizer", "encode", "--model", wordpiece, "--no-special-tokens"}, {.text = "we\n"});
  EXPECT_EQ(with.output, "[CLS] " + without.output.substr(0, without.output.size() - 1) + " [SEP]\n");
  EXPECT_EQ(run_well({"tokenizer", "decode", "--model", wordpiece}, {.text = with.output}).output, "we\n");
  run_refused({"tokenizer", "train", "--kind", "byte-bpe", "--input", corpus, "--lowercase", "--output", path("x")}, 2,
              "--lowercase is an option of --kind wordpiece");
  run_refused({"tokenizer", "train", "--kind", "unigram", "--input", corpus, "--symbol", "a", "--output", path("x")}, 2,
              "--symbol");
  EXPECT_FALSE(std::filesystem::exists(path("x")));
}

// How long a line may be depends on the kind, also where all options come from what --print-config wrote.
TEST_F(TokenizerCommand, PrintedOptionsTrainTheSame) {
  const std::string long_line = file("long.txt", std::string(5000, 'a') + "\n");
  const Arguments training{"tokenizer", "train", "--kind", "characters", "--input", long_line, "--output", path("t")};
  const std::string config = file("run.yaml", run_well(with_more(training, {"--print-config"})).output);
  EXPECT_EQ(run_json({"tokenizer", "train", "--config", config})["lines"], 1);
  const auto cut =
      run_heed({"tokenizer", "train", "--config", config, "--max-line-bytes", "4192", "--output", path("u")});
  EXPECT_NE(cut.exit_code, 0);
  EXPECT_THAT(cut.error, HasSubstr("1 lines of more than 4192 bytes"));
}

TEST_F(TokenizerCommand, Errors) {
  HEED_NEEDS_SHARED(kModels);
  const std::string model = shared_path(kModels) / "test_model.model";
  const auto number = run_heed({"tokenizer", "decode", "--model", model, "--format", "ids"}, {.text = "5\n7 x\n"});
  EXPECT_EQ(number.exit_code, 4);
  EXPECT_EQ(number.error, "heed: error: standard input:2: expected a whole number, got 'x'\n");
  const auto range = run_heed({"tokenizer", "decode", "--model", model, "--format", "ids"}, {.text = "1000\n"});
  EXPECT_EQ(range.exit_code, 4);
  EXPECT_EQ(range.error, "heed: error: standard input:1: expected ids from 0 to 999, got 1000\n");
  EXPECT_EQ(run_heed({"tokenizer", "encode", "--model", file("bad.model", "no model")}).exit_code, 3);
  EXPECT_EQ(run_heed({"tokenizer", "encode", "--model", path("none.model")}).exit_code, 1);
  EXPECT_NE(run_heed({"tokenizer", "train", "--input", file("empty.txt", ""), "--output", path("m")}).exit_code, 0);
  EXPECT_FALSE(std::filesystem::exists(path("m")));
}

}  // namespace
}  // namespace heed::cli
