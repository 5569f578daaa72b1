// Backend: the kernels that a device provides. One subclass per device; every kernel is pure virtual, so a missing one
// does not compile.
//
// Contract for all kernels: views and a Dropout's arrays lie in memory of this device, spans in the host's; a kernel
// may return before it has run, kernels of one device run as if in the order of the calls, and what must be read on the
// host goes through to_host; outputs are written over unless `accumulate` says that they are added to; input and output
// may be the same view where a kernel is elementwise and not otherwise. Shapes have been checked by the caller (ops/).
// The same inputs and thread count give the same bits. A row's result does not depend on the rows beside it for
// linear_packed, attention, add_norm, embedding and the row kernels: that is what makes a translation independent of
// its batch.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <string_view>

#include "heed/core/device.h"
#include "heed/core/tensor_view.h"

namespace heed {

struct SearchBatch;  // core/search_batch.h

enum class Activation : uint8_t { kNone, kRelu, kGelu, kGeluTanh, kSilu, kTanh };
// Whether the derivative is computed from the activation's input; else its output tells it.
constexpr bool derivative_needs_input(Activation kind) {
  return kind != Activation::kNone && kind != Activation::kRelu;
}
enum class NormKind : uint8_t { kLayer, kRms };

// Random zeros with probability `rate`, the rest scaled by 1 / (1 - rate). The bit of channel c in row r is a pure
// function of (key, site, example[r], position[r], c): nothing is stored and the backward draws it again.
struct Dropout {
  float rate = 0;
  uint64_t key = 0;                   // from the run's seed and the epoch
  uint32_t site = 0;                  // which layer and place; each place of a model has its own
  const uint32_t* example = nullptr;  // [rows]: the example that a row belongs to
  const int32_t* position = nullptr;  // [rows]: the row's place in its example
  bool active() const { return rate > 0; }
};

// One row of a packed batch as attention sees it. Query i (0-based) of the segment sees the keys
// [k_begin, k_begin + k_len), and where attention is causal only the first q_offset + i + 1 of them.
struct Segment {
  int32_t q_begin = 0, q_len = 0;
  int32_t k_begin = 0, k_len = 0;
  int32_t q_offset = 0;
  uint32_t example = 0;  // for dropout
};

// What attention adds to the scaled scores by the distance from query to key: score[query][key] of a head gets
// table[reach + clamp(key - query, -reach, reach)][head], a query's place being q_offset + i, or, over cached keys, the
// last key's. Nothing is added without a table.
struct DistanceBias {
  TensorView table;  // f32 [2 * reach + 1, heads]
  int64_t reach() const { return table.rows() / 2; }
};

struct AttentionParams {
  int heads = 1, kv_heads = 1, head_dim = 1;
  float scale = 1;  // of the scores, usually head_dim^-1/2
  bool causal = false;
  Dropout dropout;  // on the probabilities; example and position come from the segments
  DistanceBias bias{};
};

// Where the keys of rows of queries lie in a cache: key t of row r at cache row table[r, t]; row r sees lengths[r] of
// them.
struct CachedKeys {
  TensorView table;    // i32 [rows, keys at most]
  TensorView lengths;  // i32 [rows]
};

// A matrix in the form that is fastest for some product. Immutable.
class PackedMatrix {
 public:
  virtual ~PackedMatrix() = default;
  virtual int64_t out_features() const = 0;
  virtual int64_t in_features() const = 0;
};

struct AdamParams {
  float learning_rate = 0, beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f, weight_decay = 0;
  bool decoupled = true;     // AdamW: decay applied to the weight, not to the gradient
  float gradient_scale = 1;  // clipping and averaging, applied to the gradient first
  int64_t step = 1;          // 1-based, for the bias correction
};
// Elements [begin, end) that learn at this share of the rate, with the decay or without.
struct AdamRun {
  int64_t begin = 0, end = 0;
  float rate = 1;
  bool decays = true;
};

// Activations, which are what operations pass on to one another (x, y, z, q, k, v, f, a sum, dlogits) and the gradients
// of those, are f32 or, where activation_dtype() says so, bf16: all those of one call alike, but that a product's may
// differ. Weights, their gradients, statistics and losses are f32, and so is whatever else a call takes.
class Backend {
 public:
  virtual ~Backend() = default;

  // --- memory ---------------------------------------------------------------------------------------------------
  virtual void* allocate(size_t bytes) = 0;  // uninitialised, 64-byte aligned; throws MemoryError
  virtual void deallocate(void* data, size_t bytes) noexcept = 0;
  virtual void copy(const TensorView& x, const TensorView& y) = 0;  // same shape; converts the element type
  virtual void fill(const TensorView& y, double value) = 0;
  virtual size_t bytes_in_use() const = 0;
  // Bytes between the host's memory and this device's. to_device returns when `host` may be written over, to_host when
  // `host` holds what all kernels called before have written to `data`.
  virtual void to_device(const void* host, size_t bytes, void* data) = 0;
  virtual void to_host(const void* data, size_t bytes, void* host) = 0;
  virtual void synchronize() = 0;  // returns when all kernels called before have run
  // Gives the system back what is kept for reuse.
  virtual void release_unused() = 0;

  // --- matrix products ------------------------------------------------------------------------------------------
  // c = alpha op(a) op(b) + (accumulate ? c : 0); op transposes where the flag says so. f32.
  virtual void gemm(const TensorView& a, bool transpose_a, const TensorView& b, bool transpose_b, float alpha,
                    bool accumulate, const TensorView& c) = 0;
  virtual std::shared_ptr<const PackedMatrix> pack(const TensorView& w, bool transposed) = 0;
  // The same of w [out, in] within its own memory, of which there are `bytes` from w.data on, and which nothing else
  // reads any more. Returns nullptr, and leaves w as it is, where that cannot be done.
  virtual std::shared_ptr<const PackedMatrix> pack_in_place(const TensorView& /*w*/, size_t /*bytes*/,
                                                            const std::shared_ptr<void>& /*memory*/) {
    return nullptr;
  }
  // y [rows, out] = act(x [rows, in] w^T + bias) from a packed weight; each element is one fused sum over `in` in
  // order, whatever the batch. bias may be empty. (A GPU rounds x where the weight is bf16 or f16, and sums 16 at a
  // time.)
  virtual void linear_packed(const TensorView& x, const PackedMatrix& w, const TensorView& bias, Activation activation,
                             const TensorView& y) = 0;
  // y[r] = the weight's row ids[r]: what it multiplies to give output ids[r]. ids i32 [rows]; y f32 [rows, in].
  virtual void packed_rows(const PackedMatrix& w, const TensorView& ids, const TensorView& y) = 0;

  // --- matrix products of training ------------------------------------------------------------------------------
  // Their factors are rounded to `dtype`: f32, which is no rounding, or bf16 (to nearest even; what is denormal there
  // may become 0); sums and results are f32.
  //
  // The instructions that compute those in bf16 ("AMX", …); empty: they are emulated, and slower than f32.
  virtual std::string_view bf16_instructions() const = 0;
  // What activations of training are kept in where the factors of its products are rounded to `product`.
  virtual DType activation_dtype(DType /*product*/) const { return DType::kF32; }
  // b, or b^T, as the second factor of products with about `rows` rows: it has in_features() rows and out_features()
  // columns. May refer to b, which must stay as it is.
  virtual std::shared_ptr<const PackedMatrix> pack_factor(const TensorView& b, bool transpose, DType dtype,
                                                          int64_t rows) = 0;
  // c = op(a) b + (accumulate ? c : 0), b from pack_factor.
  virtual void gemm_factor(const TensorView& a, bool transpose_a, const PackedMatrix& b, bool accumulate,
                           const TensorView& c) = 0;
  // z = x [rows, in] w + bias, y [rows, out] = dropout(act(z)), w [in, out] from pack_factor; bias may be empty, and z
  // where nobody needs it.
  virtual void linear(const TensorView& x, const PackedMatrix& w, const TensorView& bias, Activation activation,
                      const Dropout& dropout, const TensorView& z, const TensorView& y) = 0;
  // Its backward from the weight as it lies, [out, in] or, if `transposed`, [in, out], and from `kept`: z where
  // derivative_needs_input(activation), else y. dx, dw (like w) and dbias may each be empty. dy is written over.
  virtual void linear_backward(const TensorView& x, const TensorView& w, bool transposed, DType dtype,
                               Activation activation, const Dropout& dropout, const TensorView& kept,
                               const TensorView& dy, bool accumulate_dx, const TensorView& dx, bool accumulate_dw,
                               const TensorView& dw, bool accumulate_dbias, const TensorView& dbias) = 0;

  // --- elementwise ----------------------------------------------------------------------------------------------
  // y = a + dropout(b)
  virtual void add(const TensorView& a, const TensorView& b, const Dropout& dropout, const TensorView& y) = 0;
  virtual void multiply(const TensorView& a, const TensorView& b, bool accumulate, const TensorView& y) = 0;
  // x and y may be activations of both kinds.
  virtual void scale(const TensorView& x, float factor, bool accumulate, const TensorView& y) = 0;
  // The same with what lies on the device, factor f32 [1], divided by `divisor`.
  virtual void scale_by(const TensorView& x, const TensorView& factor, double divisor, bool accumulate,
                        const TensorView& y) = 0;
  virtual void activation(const TensorView& x, Activation kind, const TensorView& y) = 0;
  // dx = dy act'(x), x being the input; for kRelu the output serves as well.
  virtual void activation_backward(const TensorView& x, const TensorView& dy, Activation kind, bool accumulate,
                                   const TensorView& dx) = 0;
  virtual void dropout(const TensorView& x, const Dropout& dropout, bool accumulate, const TensorView& y) = 0;
  virtual void transpose(const TensorView& x, const TensorView& y) = 0;  // [a, b, c] -> [b, a, c]

  // --- rows of elements of four bytes ---------------------------------------------------------------------------
  // y[i] = x[rows[i]]; rows i32 [rows of y].
  virtual void gather_rows(const TensorView& x, const TensorView& rows, const TensorView& y) = 0;
  // y[r, lengths[r] - 1] = first + r; lengths i32 [rows], y i32 [rows, cols].
  virtual void number_last(const TensorView& lengths, int32_t first, const TensorView& y) = 0;

  // --- reductions -----------------------------------------------------------------------------------------------
  virtual void column_sum(const TensorView& x, bool accumulate, const TensorView& y) = 0;  // [rows, cols] -> [cols]
  virtual double sum(const TensorView& x) = 0;
  virtual double sum_of_squares(const TensorView& x) = 0;
  // The same for who does not wait: sum, i64 [1], = the bits of the sum, a double; quotient, f32 [1] or
  // empty, = sum / divisor.
  virtual void sum_to(const TensorView& x, double divisor, const TensorView& sum, const TensorView& quotient) = 0;
  // x /= its Euclidean length, or `least` where that is more.
  virtual void divide_by_length(const TensorView& x, double least) {
    scale(x, static_cast<float>(1 / std::max(std::sqrt(sum_of_squares(x)), least)), false, x);
  }

  // --- normalisation --------------------------------------------------------------------------------------------
  // sum = x + dropout(f) (f may be empty), y = (sum - mean) rstd gamma + beta per row; statistics is [rows, 2]:
  // mean and rstd (kRms: mean is 0, beta empty). `sum` may be empty where it is not needed.
  virtual void add_norm(const TensorView& x, const TensorView& f, const Dropout& dropout, NormKind kind, float epsilon,
                        const TensorView& gamma, const TensorView& beta, const TensorView& sum, const TensorView& y,
                        const TensorView& statistics) = 0;
  // Its backward from dy, the sum and its statistics. With g = dsum (may be empty: what else depends on the sum) plus
  // the normalisation's gradient: dx = g, df = dropout(g). dx, df, dgamma and dbeta may be empty.
  virtual void norm_backward(const TensorView& sum, const TensorView& statistics, NormKind kind,
                             const TensorView& gamma, const TensorView& dy, const TensorView& dsum,
                             const Dropout& dropout, bool accumulate_dx, const TensorView& dx, bool accumulate_df,
                             const TensorView& df, bool accumulate_parameters, const TensorView& dgamma,
                             const TensorView& dbeta) = 0;

  // --- softmax and loss -----------------------------------------------------------------------------------------
  virtual void softmax(const TensorView& x, const TensorView& y) = 0;
  virtual void softmax_backward(const TensorView& y, const TensorView& dy, bool accumulate, const TensorView& dx) = 0;
  virtual void log_softmax(const TensorView& x, const TensorView& y) = 0;
  // Label-smoothed cross entropy of each row (Szegedy et al. 2016, section 7): the target distribution is
  // (1 - smoothing) on target[r] plus smoothing / classes on every class; target -100 gives no loss. losses [rows];
  // nll [rows] is the loss without smoothing; if `dlogits` is not empty it gets d loss / d logits (may be logits).
  virtual void cross_entropy(const TensorView& logits, const TensorView& targets, float smoothing,
                             const TensorView& losses, const TensorView& nll, const TensorView& dlogits) = 0;
  // The k largest of each row, descending, ties to the lower index, with log-softmax values; k <= cols.
  // values [rows, k] f32, indices [rows, k] i32.
  virtual void log_softmax_top_k(const TensorView& logits, int k, const TensorView& values,
                                 const TensorView& indices) = 0;

  // --- searches -------------------------------------------------------------------------------------------------
  // A step of `searches` searches of which the rows' logits [searches * size, vocab] and the k likeliest tokens,
  // from log_softmax_top_k, are given; the latter are written over.
  virtual void advance_searches(const SearchBatch& batch, int64_t searches, const TensorView& logits,
                                const TensorView& log_probs, const TensorView& ids) = 0;

  // --- embedding ------------------------------------------------------------------------------------------------
  // y[r] = dropout(scale table[ids[r]] + positions[position_ids[r]]); positions may be empty.
  virtual void embedding(const TensorView& ids, const TensorView& table, float scale, const TensorView& position_ids,
                         const TensorView& positions, const Dropout& dropout, const TensorView& y) = 0;
  // table[ids[r]] += scale dropout(dy[r]), in an order that the ids alone decide. Rows with id `skip` are left out.
  virtual void embedding_backward(std::span<const int32_t> ids, const TensorView& dy, float scale,
                                  const Dropout& dropout, int32_t skip, const TensorView& dtable) = 0;

  // --- rotary positions -----------------------------------------------------------------------------------------
  // Turns the pairs of channels (c, c + head_dim / 2) of every head of row r by the angles in table[position_ids[r]]
  // (Su et al. 2021, equation 34): y1 = x1 cos - x2 sin, y2 = x2 cos + x1 sin; `inverse` turns them back. x, y
  // [rows, heads * head_dim], may be the same; table [places, head_dim] has all cosines before all sines.
  virtual void rope(const TensorView& x, const TensorView& position_ids, const TensorView& table, bool inverse,
                    bool accumulate, const TensorView& y) = 0;

  // --- attention ------------------------------------------------------------------------------------------------
  // Vaswani et al. 2017, equation 1, for every segment and head. q [tokens_q, heads * head_dim],
  // k, v [tokens_k, kv_heads * head_dim], y like q; lse [tokens_q, heads] gets the log-sum-exp of the scaled scores
  // (may be empty). No [time, time] matrix outlives a block of queries.
  virtual void attention(const TensorView& q, const TensorView& k, const TensorView& v,
                         std::span<const Segment> segments, const AttentionParams& params, const TensorView& y,
                         const TensorView& lse) = 0;
  // Adds to (accumulate) or writes dq, dk, dv. delta is sum(y * dy) per head, computed inside. With a bias, dbias
  // [segments, rows * heads of its table] gets each segment's part of the table's gradient (else it is empty).
  virtual void attention_backward(const TensorView& q, const TensorView& k, const TensorView& v, const TensorView& y,
                                  const TensorView& lse, const TensorView& dy, std::span<const Segment> segments,
                                  const AttentionParams& params, bool accumulate, const TensorView& dq,
                                  const TensorView& dk, const TensorView& dv, const TensorView& dbias) = 0;
  // One query per row over cached keys. q, y [rows, heads * head_dim]; keys, values [cache rows, kv_heads * head_dim].
  virtual void attention_cached(const TensorView& q, const TensorView& keys, const TensorView& values,
                                const CachedKeys& places, const AttentionParams& params, const TensorView& y) = 0;
  // The probabilities themselves, for inspection: one segment, one head: [q_len, k_len].
  virtual void attention_probabilities(const TensorView& q, const TensorView& k, const Segment& segment, int head,
                                       const AttentionParams& params, const TensorView& probabilities) = 0;

  // --- optimizer ------------------------------------------------------------------------------------------------
  // One Adam step (Kingma and Ba 2015; AdamW: Loshchilov and Hutter 2019) over flat f32 buffers. `runs` ascend; what is
  // in none of them stays as it is.
  virtual void adam(const TensorView& w, const TensorView& dw, const TensorView& m, const TensorView& v,
                    std::span<const AdamRun> runs, const AdamParams& params) = 0;
};

}  // namespace heed
