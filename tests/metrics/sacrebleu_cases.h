// The recorded cases of shared/data/metrics (see its README): sacreBLEU's own tests and scores of real translations.
#pragma once

#include <string>
#include <vector>

#include "heed/base/json.h"
#include "heed/metrics/references.h"

namespace heed::metrics::testing {

// Every test that reads them begins with HEED_NEEDS_SHARED(kMetricsData).
inline constexpr const char* kMetricsData = "data/metrics";

// Lines of shared/data/metrics/`name`, a gzip file.
std::vector<std::string> read_lines(const std::string& name);

// The list `key` of sacrebleu_test_cases.json; only the beginning of the key is needed.
std::vector<Json> sacrebleu_cases(const std::string& key);

struct System {
  std::string name;
  std::vector<std::string> lines;
  Json scores;
};

// Newstest2017 English-German: one reference, five systems with their recorded scores. Unoptimised builds, which also
// carry the sanitizers, take two of the systems to stay within seconds.
std::vector<std::string> wmt17_reference();
References wmt17_references();  // the same, as scores take it
std::vector<System> wmt17_systems();

}  // namespace heed::metrics::testing
