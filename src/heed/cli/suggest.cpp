#include "heed/cli/suggest.h"

#include <fmt/format.h>

#include <algorithm>

namespace heed::cli {

int edit_distance(std::string_view a, std::string_view b) {
  std::vector<int> before(b.size() + 1), row(b.size() + 1), next(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    next[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int replace = row[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      next[j] = std::min({replace, row[j] + 1, next[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        next[j] = std::min(next[j], before[j - 2] + 1);
    }
    before.swap(row);
    row.swap(next);
  }
  return row[b.size()];
}

std::string nearest_name(std::string_view word, const std::vector<std::string>& known) {
  constexpr size_t kLongestWord = 64;  // longer ones are no slips of the finger, and the distance is quadratic
  constexpr size_t kShortestPrefix = 3;
  if (word.empty() || word.size() > kLongestWord) return "";
  int best = std::max(1, static_cast<int>(word.size()) / 3) + 1;
  std::string found;
  for (const std::string& name : known) {
    const bool begins = word.size() >= kShortestPrefix && name.starts_with(word);
    const int distance = begins ? 1 : edit_distance(word, name);
    if (distance < best) best = distance, found = name;
  }
  return found;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known, std::string_view prefix) {
  const std::string name = nearest_name(word, known);
  return name.empty() ? "" : fmt::format("; did you mean '{}{}'?", prefix, name);
}

}  // namespace heed::cli
