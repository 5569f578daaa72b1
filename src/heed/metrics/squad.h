// Exact match and F1 of answers as the official SQuAD scripts compute them (Rajpurkar et al., EMNLP 2016, and ACL 2018
// for questions without an answer). Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace heed::metrics {

// Lower case, without ASCII punctuation, without the words a, an and the, what is left joined by single spaces.
std::string normalize_answer(std::string_view text);

struct AnswerScore {
  double exact = 0, f1 = 0;  // 0 to 1
};

enum class SquadVersion : uint8_t { k1, k2 };

// The best over the reference answers. SQuAD 2: references that normalise to nothing do not count, and without any the
// question has no answer: only an empty one is right.
AnswerScore score_answer(std::string_view answer, std::span<const std::string> references,
                         SquadVersion version = SquadVersion::k2);

struct AnswerReport {
  double exact = 0, f1 = 0;  // per cent, of all questions
  int64_t questions = 0;
  // Of the questions that have an answer, and of those that have none; 0 if there are none of the kind.
  double answerable_exact = 0, answerable_f1 = 0, unanswerable_exact = 0;
  int64_t answerable = 0;
};

// answers[i] belongs to references[i]; the rules are SQuAD 2's if any question has no answer, else SQuAD 1.1's. Throws
// DataError if their numbers differ.
AnswerReport answer_report(std::span<const std::string> answers, std::span<const std::vector<std::string>> references);

}  // namespace heed::metrics
