#include "heed/metrics/entities.h"

#include <algorithm>

#include <iterator>

#include "heed/base/error.h"

namespace heed::metrics {
namespace {

struct Tag {
  char prefix = 'O';
  std::string_view type;
};

// A tag without a type ("B") has one of its own: "_".
Tag read_tag(std::string_view text) {
  if (text.empty()) return {};
  const size_t dash = text.find('-', 1);
  const std::string_view rest = text.substr(dash == std::string_view::npos ? 1 : dash + 1);
  return {text[0], rest.empty() ? std::string_view("_") : rest};
}

bool ends(const Tag& last, const Tag& next) {
  switch (last.prefix) {
    case 'E':
    case 'S': return true;
    case 'B':
    case 'I':
      if (next.prefix == 'B' || next.prefix == 'S' || next.prefix == 'O') return true;
      break;
    default: break;
  }
  return last.prefix != 'O' && last.prefix != '.' && last.type != next.type;
}

bool begins(const Tag& last, const Tag& next) {
  if (next.prefix == 'B' || next.prefix == 'S') return true;
  const bool inside = next.prefix == 'E' || next.prefix == 'I';
  if (inside && (last.prefix == 'E' || last.prefix == 'S' || last.prefix == 'O')) return true;
  return next.prefix != 'O' && next.prefix != '.' && last.type != next.type;
}

double ratio(int64_t part, int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

void count(std::vector<Entity> expected, std::vector<Entity> found, EntityReport& report) {
  std::sort(expected.begin(), expected.end());
  std::sort(found.begin(), found.end());
  std::vector<Entity> shared;
  std::set_intersection(expected.begin(), expected.end(), found.begin(), found.end(), std::back_inserter(shared));
  report.all.expected += static_cast<int64_t>(expected.size());
  report.all.found += static_cast<int64_t>(found.size());
  report.all.correct += static_cast<int64_t>(shared.size());
  for (const Entity& e : expected) ++report.types[e.type].expected;
  for (const Entity& e : found) ++report.types[e.type].found;
  for (const Entity& e : shared) ++report.types[e.type].correct;
}

}  // namespace

std::vector<Entity> find_entities(std::span<const std::string> tags) {
  std::vector<Entity> entities;
  Tag last;
  int64_t begin = -1;
  for (size_t i = 0; i <= tags.size(); ++i) {
    const Tag next = i < tags.size() ? read_tag(tags[i]) : Tag{};
    if (begin >= 0 && ends(last, next)) {
      entities.push_back({std::string(last.type), begin, static_cast<int64_t>(i)});
      begin = -1;
    }
    if (begins(last, next)) begin = static_cast<int64_t>(i);
    last = next;
  }
  return entities;
}

double EntityScore::precision() const { return ratio(correct, found); }
double EntityScore::recall() const { return ratio(correct, expected); }
double EntityScore::f1() const {
  const double p = precision(), r = recall();
  return p + r > 0 ? 2 * p * r / (p + r) : 0;
}

double EntityReport::accuracy() const { return ratio(correct_tokens, tokens); }

std::string EntityReport::conlleval() const {
  const auto scores = [](const EntityScore& s) {
    return fmt::format("precision: {:6.2f}%; recall: {:6.2f}%; FB1: {:6.2f}", 100 * s.precision(), 100 * s.recall(),
                       100 * s.f1());
  };
  std::string text = fmt::format("processed {} tokens with {} phrases; found: {} phrases; correct: {}.\n", tokens,
                                 all.expected, all.found, all.correct);
  text += fmt::format("accuracy: {:6.2f}%; {}\n", 100 * accuracy(), scores(all));
  for (const auto& [type, score] : types) text += fmt::format("{:>17}: {}  {}\n", type, scores(score), score.found);
  return text;
}

EntityReport entity_report(const TagSequences& expected, const TagSequences& found) {
  check<DataError>(expected.size() == found.size(), "{} tagged sequences against {} expected ones", found.size(),
                   expected.size());
  EntityReport report;
  for (size_t i = 0; i < expected.size(); ++i) {
    check<DataError>(expected[i].size() == found[i].size(), "sequence {}: {} tags against {} expected ones", i + 1,
                     found[i].size(), expected[i].size());
    report.tokens += static_cast<int64_t>(expected[i].size());
    for (size_t t = 0; t < expected[i].size(); ++t) report.correct_tokens += expected[i][t] == found[i][t];
    count(find_entities(expected[i]), find_entities(found[i]), report);
  }
  return report;
}

}  // namespace heed::metrics
