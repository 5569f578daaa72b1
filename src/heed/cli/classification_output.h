// What the evaluations of classifiers write.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "heed/cli/command.h"

namespace heed::cli {

// `scores` by name; `unit`: what the `count` examples are called.
inline void write_scores(Command& command, const std::vector<std::pair<std::string, double>>& scores, size_t count,
                         const char* unit) {
  Json json{{"examples", count}};
  std::string text;
  for (const auto& [name, value] : scores) {
    json[name] = value;
    text += fmt::format("{} {:.4f}  ", name, value);
  }
  command.write_result(json, fmt::format("{}({} {})", text, count, unit));
}

}  // namespace heed::cli
