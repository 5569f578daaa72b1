// Folders without tokenizer.json: ids of BERT's and GPT-2's own vocabularies, and small folders of every family against
// what transformers makes of them (tools/record_goldens/tokenizer_files.py).
#include "heed/text/tokenizer_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/text/line_reader.h"
#include "heed/text/tokenizer.h"
#include "shared_files.h"

namespace heed::text {
namespace {

using heed::testing::shared_path;
using heed::testing::source_path;
using heed::testing::TemporaryFolder;
using ::testing::HasSubstr;

std::vector<std::string> lines_of(const std::filesystem::path& file) {
  LineReader reader(file.string());
  std::vector<std::string> lines;
  for (std::string line; reader.next(line);) lines.push_back(line);
  return lines;
}

// A shared compressed file, written plain into a folder.
void unpack(const std::string& from, const std::filesystem::path& to) {
  std::string content;
  for (const std::string& line : lines_of(shared_path(from))) content += line + "\n";
  write_file_atomically(to, content);
}

std::vector<int32_t> ids_of(const Json& json) { return json.get<std::vector<int32_t>>(); }

TEST(TokenizerFiles, BertsVocabularyGivesTheIdsOfItsOwnTokenizer) {
  HEED_NEEDS_SHARED("data/tokenizers/bert-base-uncased");
  const TemporaryFolder folder;
  unpack("data/tokenizers/bert-base-uncased/vocab.txt.gz", folder / "vocab.txt");
  write_json(folder / "config.json", {{"model_type", "bert"}});
  const auto tokenizer = load_tokenizer(folder.path());
  EXPECT_EQ(tokenizer->vocab_size(), 30522);
  EXPECT_EQ(tokenizer->cls_id(), 101);
  size_t cases = 0;
  for (const char* file : {"squad_questions.jsonl.gz", "edge_cases.jsonl"})
    for (const std::string& line : lines_of(shared_path("data/tokenizers/bert-base-uncased") / file)) {
      const Json example = parse_json(line, file);
      const std::string text = example["text"];
      const auto ids = tokenizer->tokenize(text, false).ids;
      EXPECT_EQ(ids, ids_of(example["ids"])) << text;
      ++cases;
    }
  EXPECT_EQ(cases, 10570u + 46u);
}

TEST(TokenizerFiles, Gpt2sFilesGiveItsIds) {
  HEED_NEEDS_SHARED("data/tokenizers/gpt2");
  const TemporaryFolder folder;
  unpack("data/tokenizers/gpt2/vocab.json.gz", folder / "vocab.json");
  unpack("data/tokenizers/gpt2/merges.txt.gz", folder / "merges.txt");
  write_json(folder / "tokenizer_config.json", {{"tokenizer_class", "GPT2TokenizerFast"}});
  const auto tokenizer = load_tokenizer(folder.path());
  EXPECT_EQ(tokenizer->eos_id(), 50256);
  size_t cases = 0;
  for (const std::string& line : lines_of(shared_path("data/tokenizers/gpt2/cases.jsonl"))) {
    const Json example = parse_json(line, "cases");
    const std::string text = example["text"];
    EXPECT_EQ(tokenizer->encode(text), ids_of(example["ids"])) << text;
    EXPECT_EQ(tokenizer->decode(ids_of(example["ids"])), text);
    ++cases;
  }
  EXPECT_EQ(cases, 54u);
}

TEST(TokenizerFiles, SmallFoldersGiveTheIdsOfTransformers) {
  const Json recorded = read_json(source_path("tests/golden/tokenizer_files/cases.json"));
  ASSERT_GE(recorded["folders"].size(), 9u);
  for (const auto& [name, expected] : recorded["folders"].items()) {
    SCOPED_TRACE(name);
    const TemporaryFolder folder;
    const auto files = source_path("tests/golden/tokenizer_files/" + expected["files"].get<std::string>());
    for (const auto& entry : std::filesystem::directory_iterator(files))
      std::filesystem::copy(entry.path(), folder / entry.path().filename().string());
    write_json(folder / "tokenizer_config.json", expected["tokenizer_config"]);
    write_json(folder / "config.json", {{"model_type", expected["model_type"]}});
    const auto tokenizer = load_tokenizer(folder.path());
    EXPECT_EQ(tokenizer->vocab_size(), expected["size"]);
    for (size_t i = 0; i < recorded["texts"].size(); ++i) {
      const std::string text = recorded["texts"][i];
      const Json& given = expected["cases"][i];
      EXPECT_EQ(tokenizer->encode(text), ids_of(given["ids"])) << text;
      EXPECT_EQ(tokenizer->tokenize_pair(text, "a man").ids, ids_of(given["pair"])) << text;
      EXPECT_EQ(tokenizer->decode(ids_of(given["ids"]), true), given["text"].get<std::string>()) << text;
      EXPECT_EQ(tokenizer->decode(ids_of(given["ids"]), false), given["full"].get<std::string>()) << text;
    }
  }
}

TEST(TokenizerFiles, ErrorsSayWhatIsWrong) {
  const TemporaryFolder folder;
  const auto error = [&] {
    try {
      load_tokenizer(folder.path());
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_THAT(error(), HasSubstr("or vocab.json and merges.txt; or vocab.txt; or spiece.model; or tokenizer.model"));
  write_file_atomically(folder / "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n");
  EXPECT_THAT(error(), HasSubstr("vocab.txt for tokenizer_class \"\", model_type \"\""));
  write_json(folder / "tokenizer_config.json", {{"tokenizer_class", "BertTokenizer"}});
  EXPECT_THAT(error(), HasSubstr("vocab.txt: the special token '[SEP]' has no line"));
  write_json(folder / "tokenizer_config.json", {{"tokenizer_class", "BertTokenizer"}, {"do_lower_case", "yes"}});
  write_file_atomically(folder / "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n");
  EXPECT_THAT(error(), HasSubstr("\"do_lower_case\": expected true or false, got \"yes\""));
  write_json(folder / "tokenizer_config.json", {{"tokenizer_class", "GPT2Tokenizer"}});
  EXPECT_THAT(error(), HasSubstr("vocab.txt for tokenizer_class \"GPT2Tokenizer\""));
  write_json(folder / "vocab.json", {{"a", 0}, {"b", 1}, {"ab", 2}, {"<|endoftext|>", 3}});
  write_file_atomically(folder / "merges.txt", "#version: 0.2\na b\na b c\n");
  EXPECT_THAT(error(), HasSubstr("merges.txt: line 3: expected two tokens, got 'a b c'"));
  write_file_atomically(folder / "merges.txt", "a b\n");
  EXPECT_EQ(load_tokenizer(folder.path())->encode("aba"), (std::vector<int32_t>{2, 0}));
}

}  // namespace
}  // namespace heed::text
