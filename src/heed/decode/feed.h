// The rows of the next step: which row of the last step each continues, and with which token.
#pragma once

#include <cstdint>
#include <vector>

#include "heed/models/interface.h"

namespace heed::decode {

class Feed {
 public:
  // Adds a row that continues row `parent` of the last step (at first: input `parent`) and returns its number.
  int add(int parent, int32_t token) {
    const int row = static_cast<int>(parents_.size());
    moved_ |= parent != row;
    parents_.push_back(parent);
    tokens_.push_back(token);
    return row;
  }

  // Runs the model on the rows added since the last step: the logits of what comes next, f32 [rows, vocab].
  Tensor step(models::DecodingState& state) {
    if (moved_ || static_cast<int>(parents_.size()) != state.rows()) state.select(parents_);
    Tensor logits = state.step(tokens_);
    parents_.clear();
    tokens_.clear();
    moved_ = false;
    return logits;
  }

 private:
  std::vector<int32_t> parents_, tokens_;
  bool moved_ = false;
};

}  // namespace heed::decode
