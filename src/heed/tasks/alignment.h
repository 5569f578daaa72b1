// What a model's decoder looked at: cross-attention between the tokens of a source and a translation.
#pragma once

#include <string>
#include <vector>

#include "heed/tasks/translation.h"

namespace heed::tasks {

struct Alignment {
  std::vector<std::string> source_tokens, target_tokens;  // with their end tokens
  std::vector<std::vector<float>> weights;                // [target token][source token], rows sum to 1
};

// The cross-attention of one layer (from 0; -1: the last) and one head (-1: the mean of all heads) while the target is
// predicted (Vaswani et al. 2017, section 3.2.3). `prefix` stands before the source, which is cut to the positions of
// the model. Throws UsageError for a layer or head that the model does not have, DataError for a target that is too
// long.
Alignment align(const TranslationModel& model, const std::string& source, const std::string& target, int layer = -1,
                int head = -1, const std::string& prefix = {});

}  // namespace heed::tasks
