#include "heed/metrics/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "heed/base/error.h"
#include "heed/metrics/numpy_random.h"

namespace heed::metrics {
namespace {

// numpy.add.reduce over contiguous numbers: blocks of up to 128 in eight running sums, halved above. Only this order of
// additions gives the same last bit.
template <class Real>
Real numpy_sum(std::span<const Real> x) {
  if (x.size() < 8) {
    Real sum = 0;
    for (const Real value : x) sum += value;
    return sum;
  }
  if (x.size() > 128) {
    const size_t half = x.size() / 2 / 8 * 8;
    return numpy_sum(x.first(half)) + numpy_sum(x.subspan(half));
  }
  Real r[8];
  std::copy_n(x.begin(), 8, r);
  size_t i = 8;
  for (; i + 8 <= x.size(); i += 8)
    for (size_t lane = 0; lane < 8; ++lane) r[lane] += x[i + lane];
  Real sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
  for (; i < x.size(); ++i) sum += x[i];
  return sum;
}

template <class Real>
Real numpy_mean(std::span<const Real> x) {
  return numpy_sum(x) / static_cast<Real>(x.size());
}

// Python's statistics.mean, which rounds once.
template <class Real>
Real exact_mean(std::span<const Real> x) {
  long double sum = 0;
  for (const Real value : x) sum += value;
  return static_cast<Real>(sum / static_cast<long double>(x.size()));
}

// The scores in ascending order: half the distance between their ends once 2.5 % are cut off at either one.
template <class Real>
double half_width(std::span<const Real> sorted) {
  const size_t cut = sorted.size() / 40;
  return Real{0.5} * (sorted[sorted.size() - 1 - cut] - sorted[cut]);
}

template <class Real>
Confidence paired_confidence(std::vector<Real> scores) {
  std::sort(scores.begin(), scores.end());  // before the mean, whose last bit depends on the order
  return {numpy_mean<Real>(scores), half_width<Real>(scores)};
}

}  // namespace

template <class Real>
std::vector<Real> bootstrap_scores(const SegmentStatistics& statistics, const ScoreOfSums<Real>& score,
                                   const BootstrapOptions& options) {
  const size_t segments = statistics.segments(), width = statistics.width;
  check<DataError>(segments > 0, "bootstrap: there is no segment to draw");
  check<DataError>(segments <= std::numeric_limits<uint32_t>::max(), "bootstrap: {} segments are too many", segments);
  check<UsageError>(options.samples >= 2, "bootstrap: needs at least 2 samples, not {}", options.samples);
  const std::vector<float> rows(statistics.values.begin(), statistics.values.end());  // [segments, width]
  NumpyRandom random(options.seed);
  std::vector<float> sums(width);
  std::vector<Real> scores(static_cast<size_t>(options.samples));
  for (Real& result : scores) {
    std::fill(sums.begin(), sums.end(), 0.0f);
    for (size_t i = 0; i < segments; ++i) {
      const float* row = rows.data() + random.below(static_cast<uint32_t>(segments)) * width;
      for (size_t j = 0; j < width; ++j) sums[j] += row[j];
    }
    result = score(sums);
  }
  return scores;
}

template <class Real>
Confidence bootstrap_confidence(const SegmentStatistics& statistics, const ScoreOfSums<Real>& score,
                                const BootstrapOptions& options) {
  std::vector<Real> scores = bootstrap_scores(statistics, score, options);
  std::sort(scores.begin(), scores.end());
  return {exact_mean<Real>(scores), half_width<Real>(scores)};
}

template <class Real>
PairedResult paired_bootstrap(const SegmentStatistics& baseline, double baseline_score, const SegmentStatistics& system,
                              double system_score, const ScoreOfSums<Real>& score, const BootstrapOptions& options) {
  check<DataError>(baseline.segments() == system.segments(),
                   "paired bootstrap: the baseline has {} segments, but the system has {}", baseline.segments(),
                   system.segments());
  // The same seed draws the same segments for both.
  const std::vector<Real> of_baseline = bootstrap_scores(baseline, score, options);
  const std::vector<Real> of_system = bootstrap_scores(system, score, options);
  std::vector<Real> differences(of_system.size());
  for (size_t i = 0; i < differences.size(); ++i) differences[i] = std::abs(of_system[i] - of_baseline[i]);
  const Real mean = numpy_mean<Real>(differences);
  const auto observed = static_cast<Real>(std::abs(baseline_score - system_score));
  const auto beyond =
      std::count_if(differences.begin(), differences.end(), [&](Real d) { return d - mean > observed; });
  const double p_value = static_cast<double>(beyond + 1) / static_cast<double>(differences.size() + 1);
  return {baseline_score, system_score, paired_confidence(of_baseline), paired_confidence(of_system), p_value};
}

template std::vector<float> bootstrap_scores(const SegmentStatistics&, const ScoreOfSums<float>&,
                                             const BootstrapOptions&);
template std::vector<double> bootstrap_scores(const SegmentStatistics&, const ScoreOfSums<double>&,
                                              const BootstrapOptions&);
template Confidence bootstrap_confidence(const SegmentStatistics&, const ScoreOfSums<float>&, const BootstrapOptions&);
template Confidence bootstrap_confidence(const SegmentStatistics&, const ScoreOfSums<double>&, const BootstrapOptions&);
template PairedResult paired_bootstrap(const SegmentStatistics&, double, const SegmentStatistics&, double,
                                       const ScoreOfSums<float>&, const BootstrapOptions&);
template PairedResult paired_bootstrap(const SegmentStatistics&, double, const SegmentStatistics&, double,
                                       const ScoreOfSums<double>&, const BootstrapOptions&);

}  // namespace heed::metrics
