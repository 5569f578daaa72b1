#include "heed/metrics/chrf.h"

#include <fmt/format.h>

#include <algorithm>

#include "heed/base/error.h"
#include "heed/base/utf8.h"
#include "heed/metrics/ngrams.h"
#include "heed/metrics/python_text.h"
#include "heed/metrics/score_line.h"

namespace heed::metrics {
namespace {

constexpr double kEpsilon = 1e-16;

size_t row_width(const ChrfOptions& options) {
  return 3 * static_cast<size_t>(options.char_order + options.word_order);
}

void check_options(const ChrfOptions& options) {
  const auto in_range = [](int value, int low) { return value >= low && value <= 100; };
  check<UsageError>(in_range(options.char_order, 0) && in_range(options.word_order, 0),
                    "chrF takes orders from 0 to 100, not {} of characters and {} of words", options.char_order,
                    options.word_order);
  check<UsageError>(options.char_order + options.word_order > 0, "chrF needs an order of characters or words above 0");
  check<UsageError>(in_range(options.beta, 1), "chrF takes a beta from 1 to 100, not {}", options.beta);
}

// The F-score in percent. Real is the precision that sacreBLEU computes in: double for a corpus, float for a resampled
// one.
template <class Real, class Count>
Real f_score(std::span<const Count> sums, const ChrfOptions& options) {
  const auto epsilon = static_cast<Real>(kEpsilon);
  const auto factor = static_cast<Real>(options.beta * options.beta);
  Real sum_f = 0, precision = 0, recall = 0;
  int effective_order = 0;
  for (size_t i = 0; i < sums.size(); i += 3) {
    const auto of_hyp = static_cast<Real>(sums[i]), of_ref = static_cast<Real>(sums[i + 1]),
               shared = static_cast<Real>(sums[i + 2]);
    const Real p = of_hyp > 0 ? shared / of_hyp : epsilon, r = of_ref > 0 ? shared / of_ref : epsilon;
    const Real denominator = factor * p + r;
    sum_f += denominator > 0 ? (1 + factor) * p * r / denominator : epsilon;
    if (of_hyp > 0 && of_ref > 0) {
      precision += p;
      recall += r;
      ++effective_order;
    }
  }
  const size_t orders = sums.size() / 3;
  if (options.eps_smoothing) return 100 * sum_f / static_cast<Real>(orders);
  if (effective_order == 0) return 0;
  precision /= static_cast<Real>(effective_order);
  recall /= static_cast<Real>(effective_order);
  if (precision + recall == 0) return 0;
  return 100 * ((1 + factor) * precision * recall / (factor * precision + recall));
}

ScoreOfSums<float> resampled_score(const ChrfOptions& options) {
  return [options](std::span<const float> sums) { return f_score<float>(sums, options); };
}

bool is_ascii_punctuation(char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

// Words with one punctuation mark taken off, at the end before the beginning, so that "(hi)" is "(hi" and ")".
std::vector<std::string_view> split_punctuation(std::string_view text) {
  std::vector<std::string_view> words;
  for (const std::string_view word : split_words(text)) {
    if (word.size() > 1 && is_ascii_punctuation(word.back())) {
      words.push_back(word.substr(0, word.size() - 1));
      words.push_back(word.substr(word.size() - 1));
    } else if (word.size() > 1 && is_ascii_punctuation(word.front())) {
      words.push_back(word.substr(0, 1));
      words.push_back(word.substr(1));
    } else {
      words.push_back(word);
    }
  }
  return words;
}

Symbols characters(std::string_view text, bool whitespace) {
  Symbols symbols;
  symbols.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = decode_utf8(text.substr(at));
    if (whitespace || !is_space(c.value)) symbols.push_back(c.value);
    at += c.length;
  }
  return symbols;
}

// Fills the orders 1 to max_order of every reference's row, from `column` on. sequences[0] is the hypothesis.
void count_orders(const std::vector<Symbols>& sequences, int max_order, size_t column,
                  std::vector<std::vector<int64_t>>& rows) {
  for (size_t r = 0; r < rows.size(); ++r) {
    for (int order = 1; order <= max_order; ++order) {
      int64_t* triple = rows[r].data() + column + 3 * static_cast<size_t>(order - 1);
      triple[1] = ngram_total(sequences[r + 1].size(), order);
      // Hypothesis n-grams of an order that the reference is too short for do not count against it.
      triple[0] = triple[1] > 0 ? ngram_total(sequences[0].size(), order) : 0;
    }
  }
  visit_shared_ngrams(sequences, max_order, [&](int order, std::span<const uint32_t> counts) {
    for (size_t r = 0; r < rows.size(); ++r)
      rows[r][column + 3 * static_cast<size_t>(order - 1) + 2] += std::min(counts[0], counts[r + 1]);
  });
}

std::string preprocess(std::string_view line, const ChrfOptions& options) {
  return options.lowercase ? to_lower(line) : to_valid_utf8(line);
}

// The statistics of one segment, against the reference that gives the highest score, the first of equals.
std::vector<int64_t> count_segment(const std::string& hypothesis, const std::vector<std::string>& references,
                                   const ChrfOptions& options) {
  std::vector<std::string> texts = {preprocess(hypothesis, options)};
  for (const std::string& reference : references) texts.push_back(preprocess(reference, options));
  std::vector<std::vector<int64_t>> rows(references.size(), std::vector<int64_t>(row_width(options)));
  std::vector<Symbols> sequences;
  sequences.reserve(texts.size());
  for (const std::string& text : texts) sequences.push_back(characters(text, options.whitespace));
  count_orders(sequences, options.char_order, 0, rows);
  if (options.word_order > 0) {
    std::vector<std::vector<std::string_view>> words;
    words.reserve(texts.size());
    for (const std::string& text : texts) words.push_back(split_punctuation(text));
    count_orders(number_words(words), options.word_order, 3 * static_cast<size_t>(options.char_order), rows);
  }
  size_t best = 0;
  double best_score = -1;
  for (size_t r = 0; r < rows.size(); ++r) {
    const auto score = f_score<double>(std::span<const int64_t>(rows[r]), options);
    if (score > best_score) best = r, best_score = score;
  }
  return rows[best];
}

}  // namespace

std::string ChrfScore::format(int width, std::string_view signature) const {
  return score_line(name, signature, score, confidence, {}, width);
}

SegmentStatistics chrf_statistics(std::span<const std::string> hypotheses, const References& references,
                                  const ChrfOptions& options) {
  check_options(options);
  check_segments("chrF", hypotheses.size(), references);
  SegmentStatistics statistics;
  statistics.width = row_width(options);
  statistics.values.reserve(hypotheses.size() * statistics.width);
  for (size_t i = 0; i < hypotheses.size(); ++i) {
    const std::vector<int64_t> row = count_segment(hypotheses[i], references[i], options);
    statistics.values.insert(statistics.values.end(), row.begin(), row.end());
  }
  return statistics;
}

ChrfScore chrf_from_sums(std::span<const int64_t> sums, const ChrfOptions& options) {
  check_options(options);
  check<UsageError>(sums.size() == row_width(options), "chrF of {} character and {} word orders needs {} sums, not {}",
                    options.char_order, options.word_order, row_width(options), sums.size());
  ChrfScore score;
  score.name = fmt::format("chrF{}{}", options.beta, std::string(static_cast<size_t>(options.word_order), '+'));
  score.score = f_score<double>(sums, options);
  return score;
}

ChrfScore corpus_chrf(std::span<const std::string> hypotheses, const References& references, const ChrfOptions& options,
                      const std::optional<BootstrapOptions>& bootstrap) {
  const SegmentStatistics statistics = chrf_statistics(hypotheses, references, options);
  ChrfScore score = chrf_from_sums(statistics.sums(), options);
  if (bootstrap) score.confidence = bootstrap_confidence(statistics, resampled_score(options), *bootstrap);
  return score;
}

ChrfScore sentence_chrf(const std::string& hypothesis, const std::vector<std::string>& references,
                        const ChrfOptions& options) {
  return corpus_chrf({&hypothesis, 1}, {references}, options);
}

PairedResult paired_chrf(std::span<const std::string> baseline, std::span<const std::string> system,
                         const References& references, const ChrfOptions& options, const BootstrapOptions& bootstrap) {
  const SegmentStatistics of_baseline = chrf_statistics(baseline, references, options);
  const SegmentStatistics of_system = chrf_statistics(system, references, options);
  return paired_bootstrap(of_baseline, chrf_from_sums(of_baseline.sums(), options).score, of_system,
                          chrf_from_sums(of_system.sums(), options).score, resampled_score(options), bootstrap);
}

std::string chrf_signature(const ChrfOptions& options, const References& references,
                           const std::optional<BootstrapOptions>& bootstrap) {
  return signature(references, bootstrap,
                   {{"case", options.lowercase ? "lc" : "mixed"},
                    {"eff", options.eps_smoothing ? "no" : "yes"},
                    {"nc", std::to_string(options.char_order)},
                    {"nw", std::to_string(options.word_order)},
                    {"space", options.whitespace ? "yes" : "no"}});
}

}  // namespace heed::metrics
