// BLEU (Papineni et al., "BLEU: a Method for Automatic Evaluation of Machine Translation", ACL 2002) as sacreBLEU 2.6
// computes it, to the last digit, on detokenized text.
//
// score = bp * exp(1/N sum_n log p_n), p_n the share of the hypotheses' n-grams that stand in a reference (each as
// often as in the reference where it is most frequent), bp = exp(1 - r/c) where the hypotheses' length c is below the
// length r of the closest references. Lines lose trailing white space before they are tokenized. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "heed/metrics/bleu_tokenizers.h"
#include "heed/metrics/bootstrap.h"
#include "heed/metrics/references.h"

namespace heed::metrics {

// What an order without a match counts as (Chen and Cherry, "A Systematic Comparison of Smoothing Techniques for
// Sentence-Level BLEU", WMT 2014): exp 1/2, 1/4, … of a match, floor a given part of one; add-k adds to matches and
// totals of all orders above 1; none leaves 0, and with it a score of 0.
enum class BleuSmoothing { kExp, kFloor, kAddK, kNone };

// By the names exp, floor, add-k, none. Throws UsageError with the list of names.
BleuSmoothing bleu_smoothing(std::string_view name);
std::string_view bleu_smoothing_name(BleuSmoothing smoothing);

struct BleuOptions {
  BleuTokenizer tokenizer = BleuTokenizer::k13a;
  bool lowercase = false;
  BleuSmoothing smoothing = BleuSmoothing::kExp;
  std::optional<double> smooth_value;  // of floor (default 0.1) and add-k (default 1), not negative
  int max_order = 4;                   // 1 to 100
  bool effective_order = false;        // average only orders that the hypothesis is long enough for: for sentences
};

struct BleuScore {
  double score = 0;                     // 0 to 100
  std::vector<double> precisions;       // [max_order] percent, smoothed
  std::vector<int64_t> counts, totals;  // [max_order] matched and all n-grams of the hypotheses, before smoothing
  double brevity_penalty = 1;
  int64_t hyp_len = 0, ref_len = 0;  // tokens
  std::optional<Confidence> confidence;

  double ratio() const { return ref_len == 0 ? 0 : static_cast<double>(hyp_len) / static_cast<double>(ref_len); }
  // "36.9/… (BP = … ratio = … hyp_len = … ref_len = …)"
  std::string details() const;
  // "BLEU|SIGNATURE = 36.90 … (BP = … )" with `width` decimals of the score.
  std::string format(int width = 2, std::string_view signature = {}) const;
};

// All of the following throw UsageError for options out of range and DataError for segments that check_segments
// refuses.

// Score of a corpus; with `bootstrap` also its 95 % interval.
BleuScore corpus_bleu(std::span<const std::string> hypotheses, const References& references,
                      const BleuOptions& options = {}, const std::optional<BootstrapOptions>& bootstrap = {});

// Score of one sentence; set `effective_order` unless zeros for short sentences are wanted.
BleuScore sentence_bleu(const std::string& hypothesis, const std::vector<std::string>& references,
                        const BleuOptions& options = {});

// The test of a system against a baseline on the same references.
PairedResult paired_bleu(std::span<const std::string> baseline, std::span<const std::string> system,
                         const References& references, const BleuOptions& options = {},
                         const BootstrapOptions& bootstrap = {});

// "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|impl:heed-…|compatible:sacrebleu-2.6.0"; an order other than 4, which
// sacreBLEU does not state, is added.
std::string bleu_signature(const BleuOptions& options, const References& references,
                           const std::optional<BootstrapOptions>& bootstrap = {});

// Rows of [hyp_len, ref_len, counts of max_order orders, totals of max_order orders].
SegmentStatistics bleu_statistics(std::span<const std::string> hypotheses, const References& references,
                                  const BleuOptions& options = {});

// Score from such a row, or the sum of several.
BleuScore bleu_from_sums(std::span<const int64_t> sums, const BleuOptions& options = {});

}  // namespace heed::metrics
