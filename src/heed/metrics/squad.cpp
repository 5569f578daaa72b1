#include "heed/metrics/squad.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <unordered_map>

#include "heed/base/error.h"
#include "heed/metrics/python_text.h"

namespace heed::metrics {
namespace {

constexpr std::string_view kPunctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

// Python's \w: a letter, a number or the underscore.
bool is_word_character(UChar32 c) {
  return c == '_' || (U_GET_GC_MASK(c) & (U_GC_L_MASK | U_GC_ND_MASK | U_GC_NL_MASK | U_GC_NO_MASK)) != 0;
}

// The text with a space for each a, an and the that stands between characters that are no part of a word.
std::string without_articles(std::string_view text) {
  std::string result, word;
  const auto end_word = [&] {
    result += word == "a" || word == "an" || word == "the" ? " " : word;
    word.clear();
  };
  const auto length = static_cast<int32_t>(text.size());
  for (int32_t i = 0; i < length;) {
    const int32_t begin = i;
    UChar32 c = 0;
    U8_NEXT(text.data(), i, length, c);
    const std::string_view character = text.substr(static_cast<size_t>(begin), static_cast<size_t>(i - begin));
    if (c >= 0 && is_word_character(c)) {
      word += character;
      continue;
    }
    end_word();
    result += character;
  }
  end_word();
  return result;
}

double f1(const std::vector<std::string_view>& found, const std::vector<std::string_view>& expected,
          SquadVersion version) {
  if (version == SquadVersion::k2 && (found.empty() || expected.empty()))
    return found.empty() == expected.empty() ? 1 : 0;
  std::unordered_map<std::string_view, int64_t> counts;
  for (const std::string_view word : expected) ++counts[word];
  int64_t shared = 0;
  for (const std::string_view word : found) shared += counts[word]-- > 0;
  if (shared == 0) return 0;
  const double precision = static_cast<double>(shared) / static_cast<double>(found.size());
  const double recall = static_cast<double>(shared) / static_cast<double>(expected.size());
  return 2 * precision * recall / (precision + recall);
}

}  // namespace

std::string normalize_answer(std::string_view text) {
  std::string plain = to_lower(text);
  std::erase_if(plain, [](char c) { return kPunctuation.find(c) != std::string_view::npos; });
  plain = without_articles(plain);
  std::string result;
  for (const std::string_view word : split_words(plain)) {
    if (!result.empty()) result += ' ';
    result += word;
  }
  return result;
}

AnswerScore score_answer(std::string_view answer, std::span<const std::string> references, SquadVersion version) {
  const std::string found = normalize_answer(answer);
  std::vector<std::string> expected;
  for (const std::string& reference : references) expected.push_back(normalize_answer(reference));
  if (version == SquadVersion::k2) {
    std::erase(expected, "");
    if (expected.empty()) expected.emplace_back();
  }
  AnswerScore best;
  for (const std::string& one : expected) {
    best.exact = std::max(best.exact, found == one ? 1.0 : 0.0);
    best.f1 = std::max(best.f1, f1(split_words(found), split_words(one), version));
  }
  return best;
}

AnswerReport answer_report(std::span<const std::string> answers, std::span<const std::vector<std::string>> references) {
  check<DataError>(answers.size() == references.size(), "{} answers to {} questions", answers.size(),
                   references.size());
  const auto unanswerable = [](const auto& of_one) { return of_one.empty(); };
  const SquadVersion version =
      std::any_of(references.begin(), references.end(), unanswerable) ? SquadVersion::k2 : SquadVersion::k1;
  AnswerReport report;
  report.questions = static_cast<int64_t>(answers.size());
  for (size_t i = 0; i < answers.size(); ++i) {
    const AnswerScore score = score_answer(answers[i], references[i], version);
    report.exact += score.exact;
    report.f1 += score.f1;
    if (references[i].empty()) {
      report.unanswerable_exact += score.exact;
    } else {
      ++report.answerable;
      report.answerable_exact += score.exact;
      report.answerable_f1 += score.f1;
    }
  }
  const auto percent = [](double& sum, int64_t count) { sum = count > 0 ? 100 * sum / static_cast<double>(count) : 0; };
  percent(report.exact, report.questions);
  percent(report.f1, report.questions);
  percent(report.answerable_exact, report.answerable);
  percent(report.answerable_f1, report.answerable);
  percent(report.unanswerable_exact, report.questions - report.answerable);
  return report;
}

}  // namespace heed::metrics
