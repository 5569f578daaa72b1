// Scores of entities as JSON.
#pragma once

#include "heed/base/json.h"
#include "heed/metrics/entities.h"

namespace heed::cli {

inline Json entity_scores(const metrics::EntityScore& s) {
  return {{"precision", s.precision()}, {"recall", s.recall()}, {"f1", s.f1()},
          {"correct", s.correct},       {"found", s.found},     {"expected", s.expected}};
}

// Of all of them, with the accuracy of words, and by type.
inline Json entity_scores(const metrics::EntityReport& report) {
  Json json = entity_scores(report.all);
  json["accuracy"] = report.accuracy();
  json["types"] = Json::object();
  for (const auto& [type, score] : report.types) json["types"][type] = entity_scores(score);
  return json;
}

}  // namespace heed::cli
