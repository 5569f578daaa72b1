#include "heed/metrics/classification.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "heed/base/error.h"

namespace heed::metrics {
namespace {

// How often a class is expected, found, and both.
struct Counts {
  double expected = 0, found = 0, both = 0;
  double f1() const { return expected + found > 0 ? 2 * both / (expected + found) : 0; }
};

void check_lengths(size_t expected, size_t found) {
  check<DataError>(expected == found, "{} predictions for {} examples", found, expected);
}

// The rank of each value, 1-based, equal values sharing the mean of theirs.
std::vector<double> ranks(std::span<const double> x) {
  std::vector<size_t> order(x.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return x[a] < x[b]; });
  std::vector<double> result(x.size());
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && x[order[end]] == x[order[begin]]) ++end;
    for (size_t i = begin; i < end; ++i) result[order[i]] = (static_cast<double>(begin + end) + 1) / 2;
  }
  return result;
}

}  // namespace

ClassificationReport classification_report(std::span<const int32_t> expected, std::span<const int32_t> found) {
  check_lengths(expected.size(), found.size());
  std::map<int32_t, Counts> classes;
  double correct = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    ++classes[expected[i]].expected;
    ++classes[found[i]].found;
    if (expected[i] != found[i]) continue;
    ++classes[expected[i]].both;
    ++correct;
  }
  ClassificationReport report;
  report.examples = static_cast<int64_t>(expected.size());
  if (expected.empty()) return report;
  const auto n = static_cast<double>(expected.size());
  double products = 0, expected_squares = 0, found_squares = 0;
  for (const auto& [label, c] : classes) {
    report.macro_f1 += c.f1() / static_cast<double>(classes.size());
    products += c.expected * c.found;
    expected_squares += c.expected * c.expected;
    found_squares += c.found * c.found;
  }
  report.accuracy = correct / n;
  const double spread = (n * n - expected_squares) * (n * n - found_squares);
  if (spread > 0) report.matthews = (correct * n - products) / std::sqrt(spread);
  return report;
}

MultiLabelReport multi_label_report(std::span<const uint8_t> expected, std::span<const uint8_t> found, int labels) {
  check_lengths(expected.size(), found.size());
  check<DataError>(labels > 0 && expected.size() % static_cast<size_t>(labels) == 0, "{} decisions for {} labels",
                   expected.size(), labels);
  const size_t width = static_cast<size_t>(labels), examples = expected.size() / width;
  std::vector<Counts> of_label(width);
  Counts all;
  double right = 0;
  for (size_t i = 0; i < examples; ++i) {
    bool same = true;
    for (size_t l = 0; l < width; ++l) {
      const bool e = expected[i * width + l] != 0, f = found[i * width + l] != 0;
      for (Counts* c : {&of_label[l], &all}) c->expected += e, c->found += f, c->both += e && f;
      same = same && e == f;
    }
    right += same;
  }
  MultiLabelReport report;
  report.examples = static_cast<int64_t>(examples);
  if (examples == 0) return report;
  report.subset_accuracy = right / static_cast<double>(examples);
  report.micro_f1 = all.f1();
  for (const Counts& c : of_label) report.macro_f1 += c.f1() / static_cast<double>(width);
  return report;
}

double pearson(std::span<const double> x, std::span<const double> y) {
  check_lengths(x.size(), y.size());
  const double undefined = std::numeric_limits<double>::quiet_NaN();
  if (x.size() < 2) return undefined;
  const auto mean = [](std::span<const double> v) {
    return std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
  };
  const double mean_x = mean(x), mean_y = mean(y);
  double xx = 0, yy = 0, xy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double a = x[i] - mean_x, b = y[i] - mean_y;
    xx += a * a, yy += b * b, xy += a * b;
  }
  return xx > 0 && yy > 0 ? std::clamp(xy / (std::sqrt(xx) * std::sqrt(yy)), -1.0, 1.0) : undefined;
}

double spearman(std::span<const double> x, std::span<const double> y) {
  check_lengths(x.size(), y.size());
  return pearson(ranks(x), ranks(y));
}

double mean_squared_error(std::span<const double> x, std::span<const double> y) {
  check_lengths(x.size(), y.size());
  if (x.empty()) return 0;
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += (x[i] - y[i]) * (x[i] - y[i]);
  return sum / static_cast<double>(x.size());
}

}  // namespace heed::metrics
