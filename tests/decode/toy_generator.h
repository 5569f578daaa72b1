// A model for tests: its logits are pseudo-random, but a pure function of the input and the tokens so far.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "heed/decode/hypothesis.h"
#include "heed/models/interface.h"

namespace heed::testing {

using Ids = std::vector<int32_t>;

// Rows fed to the model, step by step. Thread-safe but for reading `rows`.
struct StepLog {
  void add(int count) {
    const std::lock_guard lock(mutex);
    rows.push_back(count);
  }
  std::mutex mutex;
  std::vector<int> rows;
};

class ToyGenerator : public models::Generator {
 public:
  static constexpr int32_t kStart = 1;

  // How the logits come about: fills `logits` for the sequence `ids` (start token or prompt first) behind `input`.
  using Logits = std::function<void(std::span<const int32_t> input, std::span<const int32_t> ids, std::span<float>)>;

  ToyGenerator(int vocab, Logits logits, int max_length = 1000, bool decoder_only = false)
      : vocab_(vocab), max_length_(max_length), decoder_only_(decoder_only), logits_(std::move(logits)) {}

  int vocab_size() const override { return vocab_; }
  int max_length() const override { return max_length_; }
  std::unique_ptr<models::DecodingState> start(const Ragged& inputs) const override;
  std::vector<int32_t> first_tokens(const Ragged& inputs) const override;
  void logits(std::span<const int32_t> input, std::span<const int32_t> ids, std::span<float> out) const {
    logits_(input, ids, out);
  }

  mutable StepLog log;

 private:
  int vocab_, max_length_;
  bool decoder_only_;
  Logits logits_;
};

// Bell-shaped logits of standard deviation 2, the ids of `eos` growing likelier with each token of the sequence.
ToyGenerator::Logits random_logits(uint64_t seed, Ids eos);

// `count` inputs of 1 to 5 ids.
Ragged toy_inputs(int count, uint64_t seed);

Ragged ragged(const std::vector<Ids>& rows);
// Rows begin .. begin + count of `all`.
Ragged slice(const Ragged& all, int begin, int count);

// Fails the running test unless the hypotheses are the same, bit for bit.
void expect_same(const std::vector<decode::Hypothesis>& a, const std::vector<decode::Hypothesis>& b,
                 const std::string& what);

}  // namespace heed::testing
