// Folders for tests of whole commands: a recorded model, with a tokenizer whose words are "w5" for id 5, so that what a
// command reads and writes is told by ids that were recorded.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "heed/base/files.h"
#include "heed/base/json.h"
#include "shared_files.h"

namespace heed::testing {

// Words and the ids of special tokens, none of which the text has.
struct WordTokens {
  int size = 40;
  std::set<int> special;  // tokens "<0>", "<1>", …
  int eos = -1;           // what stands behind each text; -1: nothing
};

inline std::string token_of(const WordTokens& tokens, int id) {
  return tokens.special.contains(id) ? fmt::format("<{}>", id) : fmt::format("w{}", id);
}

// The text of ids, special ones left away.
inline std::string words_of(const WordTokens& tokens, std::span<const int> ids) {
  std::string text;
  for (const int id : ids)
    if (!tokens.special.contains(id)) text += (text.empty() ? "" : " ") + token_of(tokens, id);
  return text;
}

inline Json post_processor(const WordTokens& tokens) {
  const std::string eos = token_of(tokens, tokens.eos);
  const auto text = [](const char* id) { return Json{{"Sequence", {{"id", id}, {"type_id", 0}}}}; };
  const Json end = {{"SpecialToken", {{"id", eos}, {"type_id", 0}}}};
  return {{"type", "TemplateProcessing"},
          {"single", {text("A"), end}},
          {"pair", {text("A"), text("B"), end}},
          {"special_tokens", {{eos, {{"id", eos}, {"ids", {tokens.eos}}, {"tokens", {eos}}}}}}};
}

inline void write_word_tokenizer(const std::filesystem::path& folder, const WordTokens& tokens) {
  Json vocab = Json::object(), added = Json::array();
  for (int id = 0; id < tokens.size; ++id) {
    vocab[token_of(tokens, id)] = id;
    if (tokens.special.contains(id))
      added.push_back({{"id", id},
                       {"content", token_of(tokens, id)},
                       {"single_word", false},
                       {"lstrip", false},
                       {"rstrip", false},
                       {"normalized", false},
                       {"special", true}});
  }
  write_json(folder / "tokenizer.json",
             {{"version", "1.0"},
              {"truncation", nullptr},
              {"padding", nullptr},
              {"added_tokens", added},
              {"normalizer", nullptr},
              {"pre_tokenizer", {{"type", "WhitespaceSplit"}}},
              {"post_processor", tokens.eos >= 0 ? post_processor(tokens) : Json()},
              {"decoder", nullptr},
              {"model", {{"type", "WordLevel"}, {"vocab", vocab}, {"unk_token", token_of(tokens, 0)}}}});
  write_json(folder / "tokenizer_config.json", {{"tokenizer_class", "PreTrainedTokenizerFast"}});
}

// A copy of tests/golden/models/`name` with such a tokenizer.
inline void copy_with_words(const std::string& name, const std::filesystem::path& to, const WordTokens& tokens) {
  std::filesystem::copy(source_path("tests/golden/models/" + name), to);
  write_word_tokenizer(to, tokens);
}

}  // namespace heed::testing
