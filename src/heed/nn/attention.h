// Multi-head attention (Vaswani et al. 2017, section 3.2.2) and its use one token at a time over a key-value cache.
#pragma once

#include "heed/nn/layers.h"

namespace heed::nn {

struct AttentionConfig {
  int64_t model = 0;
  int heads = 1;
  float dropout = 0;  // on the probabilities
  int kv_heads = 0;   // 0: as many as heads (Ainslie et al. 2023: fewer, each serving a group of them)
  int head_dim = 0;   // 0: model / heads
  float scale = 0;    // of the scores; 0: head_dim^-1/2
  bool qkv_bias = true, out_bias = true;
};

// Checkpoint names of the four projections, without ".weight" and ".bias".
struct AttentionNames {
  std::string q, k, v, out;
};

// Cached keys and values of one layer: rows are appended and never moved; a table (KeyTable) says which row is whose.
class KeyValueCache {
 public:
  // Appends keys and values, each [rows, kv_heads * head_dim]; returns the first row's index.
  int64_t append(const Tensor& keys, const Tensor& values);
  TensorView keys() const;
  TensorView values() const;

 private:
  Tensor rows_;  // [capacity, 2 * kv_heads * head_dim]
  int64_t used_ = 0;
};

// For each hypothesis, where in the caches each of its tokens lies, or those of its source. All layers share one table,
// which lies where the caches do. Not thread-safe.
class KeyTable {
 public:
  KeyTable(int rows, Device device);
  // Hypotheses that begin with prompts of different lengths: token t of prompt i lies at cache row offsets[i] + t.
  static KeyTable with_prompts(std::span<const int32_t> offsets, Device device);
  int rows() const { return static_cast<int>(lengths_.size()); }
  // Tokens appended to each hypothesis so far, prompts not counted.
  int64_t length() const { return length_; }
  // Notes that hypothesis i's next token lies at cache row first + i.
  void append(int64_t first);
  // Row i becomes a copy of what was row parents[i].
  void select(std::span<const int32_t> parents);
  // The same of as many rows as there are, each as long as its parent: i32 [rows] on the table's device.
  void select(const Tensor& parents);
  // Forgets all but the prompt and the first `length` tokens of every hypothesis.
  void truncate(int64_t length);

  const Tensor& slots() const { return slots_; }  // i32 [rows, stride]
  // All tokens of each hypothesis, its prompt's included.
  std::span<const int32_t> lengths() const { return lengths_; }
  // As attention reads it, until the table changes.
  CachedKeys keys() const;

 private:
  int64_t longest() const;
  void widen(int64_t length);
  void gather(const Tensor& parents);
  const Tensor& lengths_there() const;

  Device device_;
  int64_t length_ = 0;
  Tensor slots_;
  std::vector<int32_t> lengths_;  // [rows]
  mutable Tensor lengths_there_;  // undefined: not brought there since they changed
};

// How positions enter attention itself: queries and keys are turned (Su et al. 2021), or the scores get a bias by
// distance (Raffel et al. 2020; core/backend.h, DistanceBias), or neither.
struct AttentionPositions {
  AttentionPositions() = default;
  AttentionPositions(ops::Rotation turned) : rotation(std::move(turned)) {}
  AttentionPositions(Tensor distance_bias) : bias(std::move(distance_bias)) {}
  ops::Rotation rotation;
  Tensor bias;
};

// Concat(head_1, …, head_h) W^O with head_i = Attention(Q W_i^Q, K W_i^K, V W_i^V). Where a family has rotary
// positions, it hands in what each token turns by.
class SelfAttention {
 public:
  SelfAttention() = default;
  SelfAttention(Builder& b, const AttentionNames& names, const AttentionConfig& config, bool causal);
  // From projections made elsewhere: `qkv` gives queries, keys and values side by side.
  SelfAttention(Builder& b, Linear qkv, Linear out, const AttentionConfig& config, bool causal);

  // x [tokens, model] -> [tokens, model]; `probabilities`, if given, gets each sentence's and head's matrix.
  Tensor operator()(const Tensor& x, const Pass& pass, const ops::SegmentsPtr& segments,
                    std::vector<Tensor>* probabilities = nullptr, const AttentionPositions& positions = {}) const;
  // The same for the prompts that hypotheses begin with: their keys and values go to the cache.
  Tensor prefill(const Tensor& x, const ops::SegmentsPtr& segments, KeyValueCache& cache,
                 const AttentionPositions& positions = {}) const;
  // One token per hypothesis: x [rows, model]; appends its key and value to the cache first. `table` has been
  // appended to already.
  Tensor step(const Tensor& x, KeyValueCache& cache, const KeyTable& table,
              const AttentionPositions& positions = {}) const;

 private:
  struct Projections {
    Tensor q, k, v;
  };
  // q and k turned by the rotation, if there is one.
  Projections project(const Tensor& x, const ops::Rotation& rotation,
                      const ops::AdapterDropout& adapter_dropout = {}) const;

  Linear qkv_, out_;
  AttentionParams params_;
  float dropout_ = 0;
  uint32_t site_ = 0;
};

// Queries from the decoder, keys and values from the encoder's output (section 3.2.3).
class CrossAttention {
 public:
  CrossAttention() = default;
  CrossAttention(Builder& b, const AttentionNames& names, const AttentionConfig& config);

  Tensor operator()(const Tensor& x, const Tensor& encoded, const Pass& pass, const ops::SegmentsPtr& segments,
                    std::vector<Tensor>* probabilities = nullptr) const;
  // The keys and values of all source tokens, once: [source tokens, 2 * kv_heads * head_dim].
  Tensor keys_values(const Tensor& encoded) const { return kv_(encoded); }
  // One token per hypothesis; the table says which source tokens each sees.
  Tensor step(const Tensor& x, const Tensor& keys_values, const KeyTable& sources) const;

 private:
  Linear q_, kv_, out_;
  AttentionParams params_;
  float dropout_ = 0;
  uint32_t site_ = 0;
};

}  // namespace heed::nn
