#include "heed/metrics/rouge.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "heed/base/error.h"
#include "heed/metrics/porter_stemmer.h"
#include "heed/metrics/python_text.h"

namespace heed::metrics {
namespace {

using Words = std::vector<int>;  // numbers of words

// Numbers words, the same for the same word.
class Numbering {
 public:
  explicit Numbering(bool stem) : stem_(stem) {}

  Words words(std::string_view text) {
    const std::string lower = to_lower(text);
    const auto is_word = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    Words result;
    for (auto at = lower.begin(); (at = std::find_if(at, lower.end(), is_word)) != lower.end();) {
      const auto end = std::find_if_not(at, lower.end(), is_word);
      std::string word(at, end);
      if (stem_ && word.size() > 3) word = porter_stem(word);
      result.push_back(numbers_.emplace(std::move(word), static_cast<int>(numbers_.size())).first->second);
      at = end;
    }
    return result;
  }

  // The words of each line that is not empty.
  std::vector<Words> lines(std::string_view text) {
    std::vector<Words> result;
    while (!text.empty()) {
      const size_t end = std::min(text.find('\n'), text.size());
      if (end > 0) result.push_back(words(text.substr(0, end)));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    return result;
  }

 private:
  bool stem_;
  std::unordered_map<std::string, int> numbers_;
};

RougeScore score(double hits, double found, double expected) {
  RougeScore s;
  s.precision = hits / std::max(found, 1.0);
  s.recall = hits / std::max(expected, 1.0);
  if (s.precision + s.recall > 0) s.f = 2 * s.precision * s.recall / (s.precision + s.recall);
  return s;
}

RougeScore shared_ngrams(const Words& found, const Words& expected, size_t n) {
  const auto count = [n](const Words& words) {
    std::map<Words, int64_t> counts;
    for (size_t i = 0; i + n <= words.size(); ++i)
      ++counts[Words(words.begin() + static_cast<int64_t>(i), words.begin() + static_cast<int64_t>(i + n))];
    return counts;
  };
  const auto total = [n](const Words& words) {
    return static_cast<double>(words.size() + 1 - std::min(n, words.size() + 1));
  };
  const auto in_found = count(found);
  int64_t hits = 0;
  for (const auto& [ngram, times] : count(expected)) {
    const auto it = in_found.find(ngram);
    if (it != in_found.end()) hits += std::min(times, it->second);
  }
  return score(static_cast<double>(hits), total(found), total(expected));
}

// The lengths of longest common subsequences of all beginnings: [reference + 1][candidate + 1].
class LcsTable {
 public:
  LcsTable(const Words& reference, const Words& candidate)
      : reference_(reference), candidate_(candidate), columns_(candidate.size() + 1) {
    check<DataError>((reference.size() + 1) * columns_ <= size_t{1} << 31, "ROUGE of texts of {} and {} words",
                     candidate.size(), reference.size());
    lengths_.assign((reference.size() + 1) * columns_, 0);
    for (size_t i = 1; i <= reference.size(); ++i)
      for (size_t j = 1; j <= candidate.size(); ++j)
        lengths_[i * columns_ + j] =
            reference[i - 1] == candidate[j - 1] ? at(i - 1, j - 1) + 1 : std::max(at(i - 1, j), at(i, j - 1));
  }
  int length() const { return lengths_.back(); }

  // Adds the places in the reference of one longest common subsequence.
  void collect(std::set<size_t>& places) const {
    size_t i = reference_.size(), j = candidate_.size();
    while (i > 0 && j > 0) {
      if (reference_[i - 1] == candidate_[j - 1]) {
        places.insert(i - 1);
        --i, --j;
      } else if (at(i, j - 1) > at(i - 1, j)) {
        --j;
      } else {
        --i;
      }
    }
  }

 private:
  int at(size_t i, size_t j) const { return lengths_[i * columns_ + j]; }

  const Words& reference_;
  const Words& candidate_;
  size_t columns_;
  std::vector<int> lengths_;
};

// Section 3.2 of the paper, each word counted no more often than both sides have it.
RougeScore summary_lcs(const std::vector<Words>& found, const std::vector<Words>& expected) {
  std::unordered_map<int, int64_t> left_found, left_expected;
  int64_t found_words = 0, expected_words = 0, hits = 0;
  const auto count = [](const std::vector<Words>& lines, auto& left, int64_t& total) {
    for (const Words& line : lines)
      for (const int word : line) ++left[word], ++total;
  };
  count(found, left_found, found_words);
  count(expected, left_expected, expected_words);
  for (const Words& line : expected) {
    std::set<size_t> places;
    for (const Words& candidate : found) LcsTable(line, candidate).collect(places);
    for (const size_t place : places) {
      int64_t &a = left_found[line[place]], &b = left_expected[line[place]];
      if (a <= 0 || b <= 0) continue;
      --a, --b, ++hits;
    }
  }
  return score(static_cast<double>(hits), static_cast<double>(found_words), static_cast<double>(expected_words));
}

void keep_better(RougeScore& best, const RougeScore& other) {
  if (other.f > best.f) best = other;
}

void add(RougeScore& sum, const RougeScore& x, double weight) {
  sum.precision += weight * x.precision;
  sum.recall += weight * x.recall;
  sum.f += weight * x.f;
}

}  // namespace

RougeScores rouge(std::string_view summary, std::span<const std::string> references, const RougeOptions& options) {
  check<DataError>(!references.empty(), "ROUGE of a summary without a reference");
  Numbering numbering(options.stem);
  const Words found = numbering.words(summary);
  const std::vector<Words> found_lines = numbering.lines(summary);
  RougeScores best;
  bool first = true;
  for (const std::string& reference : references) {
    const Words expected = numbering.words(reference);
    const double lcs = LcsTable(expected, found).length();
    const RougeScores one{shared_ngrams(found, expected, 1), shared_ngrams(found, expected, 2),
                          score(lcs, static_cast<double>(found.size()), static_cast<double>(expected.size())),
                          summary_lcs(found_lines, numbering.lines(reference))};
    if (first) best = one;
    first = false;
    keep_better(best.rouge1, one.rouge1);
    keep_better(best.rouge2, one.rouge2);
    keep_better(best.rouge_l, one.rouge_l);
    keep_better(best.rouge_l_sum, one.rouge_l_sum);
  }
  return best;
}

RougeScores corpus_rouge(std::span<const std::string> summaries, std::span<const std::vector<std::string>> references,
                         const RougeOptions& options) {
  check<DataError>(summaries.size() == references.size(), "{} summaries against references of {}", summaries.size(),
                   references.size());
  RougeScores mean;
  const double weight = 1 / std::max(1.0, static_cast<double>(summaries.size()));
  for (size_t i = 0; i < summaries.size(); ++i) {
    const RougeScores one = rouge(summaries[i], references[i], options);
    add(mean.rouge1, one.rouge1, weight);
    add(mean.rouge2, one.rouge2, weight);
    add(mean.rouge_l, one.rouge_l, weight);
    add(mean.rouge_l_sum, one.rouge_l_sum, weight);
  }
  return mean;
}

}  // namespace heed::metrics
