// The scores that tools/record_goldens/metrics.py recorded from seqeval, rouge-score, scikit-learn, SciPy and NLTK.
#pragma once

#include "heed/base/json.h"
#include "shared_files.h"

namespace heed::metrics::testing {

inline const Json& recorded_scores() {
  static const Json scores = read_json(heed::testing::source_path("tests/golden/metrics/scores.json"));
  return scores;
}

}  // namespace heed::metrics::testing
