#include "toy_generator.h"

#include <gtest/gtest.h>

#include "heed/base/random.h"

namespace heed::testing {
namespace {

uint64_t hash(uint64_t h, std::span<const int32_t> ids) {
  for (const int32_t id : ids) h = (h ^ static_cast<uint64_t>(id + 1)) * 0x9E3779B97F4A7C15 + (h >> 29);
  return h;
}

// The finaliser of SplitMix64 (Steele et al. 2014): much cheaper than a drawing of normal numbers.
uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

class ToyState : public models::DecodingState {
 public:
  struct Row {
    Ids input, ids;
  };
  ToyState(const ToyGenerator& generator, std::vector<Row> rows) : generator_(generator), rows_(std::move(rows)) {}

  int rows() const override { return static_cast<int>(rows_.size()); }
  int64_t length() const override { return length_; }
  Device device() const override { return {}; }
  Tensor step(const Tensor& fed) override {
    const std::vector<int32_t> tokens = fed.to_vector<int32_t>();
    EXPECT_EQ(tokens.size(), rows_.size());
    const auto vocab = static_cast<size_t>(generator_.vocab_size());
    values_.resize(rows_.size() * vocab);
    for (size_t r = 0; r < rows_.size(); ++r) {
      rows_[r].ids.push_back(tokens[r]);
      EXPECT_LE(static_cast<int>(rows_[r].ids.size()), generator_.max_length()) << "fed beyond the last position";
      generator_.logits(rows_[r].input, rows_[r].ids, std::span(values_).subspan(r * vocab, vocab));
    }
    ++length_;
    generator_.log.add(rows());
    return Tensor::from(values_, {rows(), generator_.vocab_size()});
  }
  void select(std::span<const int32_t> parents) override {
    EXPECT_FALSE(parents.empty());
    std::vector<Row> rows;
    for (const int32_t p : parents) rows.push_back(rows_.at(static_cast<size_t>(p)));
    rows_ = std::move(rows);
  }
  void select(const Tensor& parents) override {
    EXPECT_EQ(parents.numel(), rows());
    select(parents.to_vector<int32_t>());
  }
  void truncate(int64_t) override { FAIL() << "decoding never goes back"; }

 private:
  const ToyGenerator& generator_;
  std::vector<Row> rows_;
  std::vector<float> values_;
  int64_t length_ = 0;
};

}  // namespace

std::unique_ptr<models::DecodingState> ToyGenerator::start(const Ragged& inputs) const {
  std::vector<ToyState::Row> rows;
  for (int i = 0; i < inputs.rows(); ++i) {
    const Ids input(inputs.row(i).begin(), inputs.row(i).end());
    if (decoder_only_) rows.push_back({{}, {input.begin(), input.end() - 1}});
    else rows.push_back({input, {}});
  }
  return std::make_unique<ToyState>(*this, std::move(rows));
}

std::vector<int32_t> ToyGenerator::first_tokens(const Ragged& inputs) const {
  Ids first;
  for (int i = 0; i < inputs.rows(); ++i) first.push_back(decoder_only_ ? inputs.row(i).back() : kStart);
  return first;
}

ToyGenerator::Logits random_logits(uint64_t seed, Ids eos) {
  return [seed, eos](std::span<const int32_t> input, std::span<const int32_t> ids, std::span<float> out) {
    uint64_t state = hash(hash(seed, input), ids);
    for (float& x : out) {
      state += 0x9E3779B97F4A7C15;
      const uint64_t bits = mix(state);
      const uint64_t sum = (bits & 0xFFFFF) + (bits >> 20 & 0xFFFFF) + (bits >> 40 & 0xFFFFF);
      x = 4 * (static_cast<float>(sum) / 0x100000 - 1.5f);
    }
    for (const int32_t e : eos) out[static_cast<size_t>(e)] += 0.4f * static_cast<float>(ids.size()) - 1;
  };
}

Ragged toy_inputs(int count, uint64_t seed) {
  Random random(seed, 99);
  Ragged inputs;
  for (int i = 0; i < count; ++i) {
    Ids row(1 + random.below(5));
    for (int32_t& id : row) id = static_cast<int32_t>(2 + random.below(8));
    row[0] = static_cast<int32_t>(i % 10);
    inputs.append(row);
  }
  return inputs;
}

Ragged ragged(const std::vector<Ids>& rows) {
  Ragged result;
  for (const Ids& row : rows) result.append(row);
  return result;
}

Ragged slice(const Ragged& all, int begin, int count) {
  Ragged part;
  for (int i = begin; i < begin + count; ++i) part.append(all.row(i));
  return part;
}

void expect_same(const std::vector<decode::Hypothesis>& a, const std::vector<decode::Hypothesis>& b,
                 const std::string& what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].ids, b[i].ids) << what << ", hypothesis " << i;
    EXPECT_EQ(a[i].score, b[i].score) << what << ", hypothesis " << i;
    EXPECT_EQ(a[i].sum_log_prob, b[i].sum_log_prob) << what << ", hypothesis " << i;
    EXPECT_EQ(a[i].token_log_probs, b[i].token_log_probs) << what << ", hypothesis " << i;
    EXPECT_EQ(a[i].finished, b[i].finished) << what << ", hypothesis " << i;
  }
}

}  // namespace heed::testing
