// chrF and chrF++ (Popović, "chrF: character n-gram F-score for automatic MT evaluation", WMT 2015, and "chrF++: words
// helping character n-grams", WMT 2017) as sacreBLEU 2.6 computes them, to the last digit.
//
// The F-score, recall beta times as important, of precision and recall averaged over character orders (and word orders,
// where a punctuation mark at a word's end or beginning is a word of its own). Of several references a segment counts
// with that which gives it the highest score. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "heed/metrics/bootstrap.h"
#include "heed/metrics/references.h"

namespace heed::metrics {

struct ChrfOptions {
  int char_order = 6;  // 0 to 100, not 0 together with word_order
  int word_order = 0;  // 0 to 100; 2 is chrF++
  int beta = 2;        // 1 to 100
  bool lowercase = false;
  bool whitespace = false;     // white space is part of character n-grams (lines are then taken as they are: the
                               // sacrebleu program strips their right end when reading, its library does not)
  bool eps_smoothing = false;  // average F-scores of all orders with 1e-16 for what is empty (chrF++.py, Moses, NLTK)
                               // instead of precision and recall over the orders that both sides have
};

struct ChrfScore {
  std::string name;  // "chrF2", "chrF2++", …
  double score = 0;  // 0 to 100
  std::optional<Confidence> confidence;

  // "chrF2|SIGNATURE = 57.72" with `width` decimals.
  std::string format(int width = 2, std::string_view signature = {}) const;
};

// All of the following throw UsageError for options out of range and DataError for segments that check_segments
// refuses.

// Score of a corpus; with `bootstrap` also its 95 % interval.
ChrfScore corpus_chrf(std::span<const std::string> hypotheses, const References& references,
                      const ChrfOptions& options = {}, const std::optional<BootstrapOptions>& bootstrap = {});

ChrfScore sentence_chrf(const std::string& hypothesis, const std::vector<std::string>& references,
                        const ChrfOptions& options = {});

// The test of a system against a baseline on the same references.
PairedResult paired_chrf(std::span<const std::string> baseline, std::span<const std::string> system,
                         const References& references, const ChrfOptions& options = {},
                         const BootstrapOptions& bootstrap = {});

// "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|impl:heed-…|compatible:sacrebleu-2.6.0"
std::string chrf_signature(const ChrfOptions& options, const References& references,
                           const std::optional<BootstrapOptions>& bootstrap = {});

// Rows of [n-grams of the hypothesis, of the reference, shared] for each character order, then each word order.
SegmentStatistics chrf_statistics(std::span<const std::string> hypotheses, const References& references,
                                  const ChrfOptions& options = {});

// Score from such a row, or the sum of several.
ChrfScore chrf_from_sums(std::span<const int64_t> sums, const ChrfOptions& options = {});

}  // namespace heed::metrics
