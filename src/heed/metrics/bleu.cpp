#include "heed/metrics/bleu.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "heed/base/error.h"
#include "heed/base/utf8.h"
#include "heed/metrics/ngrams.h"
#include "heed/metrics/python_text.h"
#include "heed/metrics/score_line.h"

namespace heed::metrics {
namespace {

constexpr std::array<std::pair<std::string_view, BleuSmoothing>, 4> kSmoothings = {{{"exp", BleuSmoothing::kExp},
                                                                                    {"floor", BleuSmoothing::kFloor},
                                                                                    {"add-k", BleuSmoothing::kAddK},
                                                                                    {"none", BleuSmoothing::kNone}}};

constexpr double kLogOfZero = -9999999999.0;  // so that its exponential is 0

void check_options(const BleuOptions& options) {
  check<UsageError>(options.max_order >= 1 && options.max_order <= 100, "BLEU takes orders from 1 to 100, not {}",
                    options.max_order);
  if (options.smooth_value)
    check<UsageError>(std::isfinite(*options.smooth_value) && *options.smooth_value >= 0,
                      "BLEU's smoothing value must be 0 or more, not {}", *options.smooth_value);
}

bool takes_value(BleuSmoothing smoothing) {
  return smoothing == BleuSmoothing::kFloor || smoothing == BleuSmoothing::kAddK;
}

double smooth_value(const BleuOptions& options) {
  return options.smooth_value.value_or(options.smoothing == BleuSmoothing::kFloor ? 0.1 : 1.0);
}

// The smoothed precisions and the score. Real is the precision that sacreBLEU computes precisions in: double for a
// corpus, float for a resampled one.
template <class Real>
struct Precisions {
  std::vector<Real> percent;
  double brevity_penalty = 1, score = 0;
};

template <class Real>
double mean_log(const std::vector<Real>& percent, int orders) {
  double sum = 0;
  for (int n = 0; n < orders; ++n) {
    const auto p = static_cast<double>(percent[static_cast<size_t>(n)]);
    sum += p == 0 ? kLogOfZero : std::log(p);
  }
  return sum / orders;
}

template <class Real, class Count>
Precisions<Real> compute_precisions(std::span<const Count> sums, const BleuOptions& options) {
  const auto orders = static_cast<size_t>(options.max_order);
  const auto hyp_len = static_cast<double>(sums[0]), ref_len = static_cast<double>(sums[1]);
  const std::span<const Count> counts = sums.subspan(2, orders), totals = sums.subspan(2 + orders, orders);
  Precisions<Real> result{std::vector<Real>(orders, Real{0})};
  if (hyp_len < ref_len) result.brevity_penalty = hyp_len > 0 ? std::exp(1 - ref_len / hyp_len) : 0;
  if (std::all_of(counts.begin(), counts.end(), [](Count c) { return c == 0; })) return result;
  const double value = smooth_value(options);
  Real divisor = 1;
  int effective_order = options.max_order;
  for (size_t n = 0; n < orders; ++n) {
    const Real added = options.smoothing == BleuSmoothing::kAddK && n > 0 ? static_cast<Real>(value) : Real{0};
    const Real count = static_cast<Real>(counts[n]) + added, total = static_cast<Real>(totals[n]) + added;
    if (total == 0) break;
    if (options.effective_order) effective_order = static_cast<int>(n) + 1;
    if (count != 0) {
      result.percent[n] = Real{100} * count / total;
    } else if (options.smoothing == BleuSmoothing::kExp) {
      divisor *= 2;
      result.percent[n] = Real{100} / (divisor * total);
    } else if (options.smoothing == BleuSmoothing::kFloor) {
      result.percent[n] = static_cast<Real>(100 * value) / total;
    }
  }
  result.score = result.brevity_penalty * std::exp(mean_log(result.percent, effective_order));
  return result;
}

ScoreOfSums<double> resampled_score(const BleuOptions& options) {
  return [options](std::span<const float> sums) { return compute_precisions<float>(sums, options).score; };
}

std::string preprocess(std::string_view line, const BleuOptions& options) {
  if (!options.lowercase) return tokenize(options.tokenizer, strip_right(line));
  const std::string lower = to_lower(line);
  return tokenize(options.tokenizer, strip_right(lower));
}

size_t closest_length(size_t length, const std::vector<Symbols>& sequences) {
  size_t closest = 0, closest_distance = SIZE_MAX;
  for (size_t s = 1; s < sequences.size(); ++s) {
    const size_t candidate = sequences[s].size();
    const size_t distance = candidate > length ? candidate - length : length - candidate;
    if (distance < closest_distance || (distance == closest_distance && candidate < closest))
      closest = candidate, closest_distance = distance;
  }
  return closest;
}

// The statistics of one segment into `row`.
void count_segment(const std::string& hypothesis, const std::vector<std::string>& references,
                   const BleuOptions& options, std::span<int64_t> row) {
  std::vector<std::string> texts = {preprocess(hypothesis, options)};
  for (const std::string& reference : references) texts.push_back(preprocess(reference, options));
  std::vector<std::vector<std::string_view>> words;
  words.reserve(texts.size());
  for (const std::string& text : texts) words.push_back(split_words(text));
  const std::vector<Symbols> sequences = number_words(words);  // the hypothesis, then its references
  const auto orders = static_cast<size_t>(options.max_order);
  const size_t length = sequences[0].size();
  row[0] = static_cast<int64_t>(length);
  row[1] = static_cast<int64_t>(closest_length(length, sequences));
  visit_shared_ngrams(sequences, options.max_order, [&](int order, std::span<const uint32_t> counts) {
    const uint32_t most = *std::max_element(counts.begin() + 1, counts.end());
    row[1 + static_cast<size_t>(order)] += std::min(counts[0], most);
  });
  for (size_t n = 0; n < orders; ++n) row[2 + orders + n] = ngram_total(length, static_cast<int>(n) + 1);
}

}  // namespace

BleuSmoothing bleu_smoothing(std::string_view name) {
  std::string valid;
  for (const auto& [known, smoothing] : kSmoothings) {
    if (name == known) return smoothing;
    valid += valid.empty() ? "" : ", ";
    valid += known;
  }
  fail<UsageError>("BLEU has no smoothing '{}', only {}", name, valid);
}

std::string_view bleu_smoothing_name(BleuSmoothing smoothing) {
  for (const auto& [name, known] : kSmoothings)
    if (known == smoothing) return name;
  assert(false);
  return {};
}

std::string BleuScore::details() const {
  std::string text;
  for (const double p : precisions) text += fmt::format("{}{:.1f}", text.empty() ? "" : "/", p);
  return text + fmt::format(" (BP = {:.3f} ratio = {:.3f} hyp_len = {} ref_len = {})", brevity_penalty, ratio(),
                            hyp_len, ref_len);
}

std::string BleuScore::format(int width, std::string_view signature) const {
  return score_line("BLEU", signature, score, confidence, details(), width);
}

SegmentStatistics bleu_statistics(std::span<const std::string> hypotheses, const References& references,
                                  const BleuOptions& options) {
  check_options(options);
  check_segments("BLEU", hypotheses.size(), references);
  SegmentStatistics statistics;
  statistics.width = 2 + 2 * static_cast<size_t>(options.max_order);
  statistics.values.resize(hypotheses.size() * statistics.width);
  for (size_t i = 0; i < hypotheses.size(); ++i)
    count_segment(hypotheses[i], references[i], options,
                  std::span(statistics.values).subspan(i * statistics.width, statistics.width));
  return statistics;
}

BleuScore bleu_from_sums(std::span<const int64_t> sums, const BleuOptions& options) {
  check_options(options);
  const auto orders = static_cast<size_t>(options.max_order);
  check<UsageError>(sums.size() == 2 + 2 * orders, "BLEU of order {} needs {} sums, not {}", orders, 2 + 2 * orders,
                    sums.size());
  Precisions<double> computed = compute_precisions<double>(sums, options);
  BleuScore score;
  score.score = computed.score;
  score.precisions = std::move(computed.percent);
  score.brevity_penalty = computed.brevity_penalty;
  score.hyp_len = sums[0];
  score.ref_len = sums[1];
  score.counts.assign(sums.begin() + 2, sums.begin() + 2 + options.max_order);
  score.totals.assign(sums.begin() + 2 + options.max_order, sums.end());
  return score;
}

BleuScore corpus_bleu(std::span<const std::string> hypotheses, const References& references, const BleuOptions& options,
                      const std::optional<BootstrapOptions>& bootstrap) {
  const SegmentStatistics statistics = bleu_statistics(hypotheses, references, options);
  BleuScore score = bleu_from_sums(statistics.sums(), options);
  if (bootstrap) score.confidence = bootstrap_confidence(statistics, resampled_score(options), *bootstrap);
  return score;
}

BleuScore sentence_bleu(const std::string& hypothesis, const std::vector<std::string>& references,
                        const BleuOptions& options) {
  return corpus_bleu({&hypothesis, 1}, {references}, options);
}

PairedResult paired_bleu(std::span<const std::string> baseline, std::span<const std::string> system,
                         const References& references, const BleuOptions& options, const BootstrapOptions& bootstrap) {
  const SegmentStatistics of_baseline = bleu_statistics(baseline, references, options);
  const SegmentStatistics of_system = bleu_statistics(system, references, options);
  return paired_bootstrap(of_baseline, bleu_from_sums(of_baseline.sums(), options).score, of_system,
                          bleu_from_sums(of_system.sums(), options).score, resampled_score(options), bootstrap);
}

std::string bleu_signature(const BleuOptions& options, const References& references,
                           const std::optional<BootstrapOptions>& bootstrap) {
  std::string smoothing(bleu_smoothing_name(options.smoothing));
  if (takes_value(options.smoothing)) smoothing += fmt::format("[{:.2f}]", smooth_value(options));
  SignatureFields fields = {{"case", options.lowercase ? "lc" : "mixed"},
                            {"eff", options.effective_order ? "yes" : "no"},
                            {"tok", std::string(bleu_tokenizer_name(options.tokenizer))},
                            {"smooth", smoothing}};
  if (options.max_order != BleuOptions{}.max_order) fields.emplace_back("order", std::to_string(options.max_order));
  return signature(references, bootstrap, fields);
}

}  // namespace heed::metrics
