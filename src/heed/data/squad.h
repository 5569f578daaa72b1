// Questions on passages: the JSON of SQuAD 1.1 (Rajpurkar et al., EMNLP 2016) and 2.0 (ACL 2018), plain, gzip or zstd.
//
//   {"data": [{"title": …, "paragraphs": [{"context": …, "qas": [{"id": …, "question": …, "is_impossible": …,
//    "answers": [{"text": …, "answer_start": …}]}]}]}]}
//
// Other keys (version, plausible_answers) are not read. Memory: the file's JSON while it is read. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace heed::data {

struct SquadAnswer {
  std::string text;
  int64_t begin = 0;  // in the context, in code points; the text stands there
  bool operator==(const SquadAnswer&) const = default;
};

struct SquadQuestion {
  std::string id, question;
  size_t context = 0;                // which of the contexts
  std::vector<SquadAnswer> answers;  // none if and only if it is impossible
  bool impossible = false;
};

struct SquadData {
  std::string file;
  std::vector<std::string> contexts;
  std::vector<SquadQuestion> questions;  // never none

  // "train.json: question 56be4db0", for messages.
  std::string where(size_t question) const;
};

// Throws DataError naming the file, the article, the paragraph and the question for a key that is missing or of another
// kind, an answer that does not stand where it says, no answer to a question that is not impossible, an id met twice.
SquadData read_squad(const std::filesystem::path& file);

}  // namespace heed::data
