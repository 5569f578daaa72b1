// The differentiable operations. Each file of this folder holds one: the check, the forward call, what is saved, and
// the backward under its formula. Tensors are f32 unless said otherwise; [..., n] means any leading dimensions.
// Activations, and so the results and their gradients, are bf16 where products are rounded to that and the device keeps
// them so (Backend::activation_dtype()); without gradients they are f32. Losses are f32 in any case.
//
// Ids, positions, targets and what else is not differentiated lie on the host, where they are checked; the operation
// brings them to the device of its other tensors.
//
// Shapes that do not fit throw ShapeError. Where gradients are off, nothing is recorded or saved.
#pragma once

#include "heed/autograd/autograd.h"
#include "heed/ops/device_sum.h"
#include "heed/ops/token_rows.h"
#include "heed/ops/weight.h"

namespace heed::ops {

// --- fused operations
// -------------------------------------------------------------------------------------------------

// y = dropout(act(x w^T + bias)): [..., in] -> [..., out]; bias [out] or undefined. Without gradients the weight's
// packed form is used, by which a row's result does not depend on the other rows. What adapters of the weight give is
// added before the activation; `adapter_dropout` says for which pass they drop inputs, if any.
struct AdapterDropout {
  uint64_t key = 0;
  TokenRowsPtr rows;  // undefined: nothing is dropped
};
Tensor linear(const Tensor& x, const Weight& w, const Tensor& bias = {}, Activation activation = Activation::kNone,
              const DropoutSite& dropout = {}, const AdapterDropout& adapter_dropout = {});

// sum = x + dropout(f), y = norm(sum) gamma + beta (Ba et al. 2016; kRms: Zhang and Sennrich 2019). f may be undefined;
// beta is undefined for kRms.
struct NormWeights {
  Tensor gamma, beta;
  NormKind kind = NormKind::kLayer;
  float epsilon = 1e-5f;
};
struct AddNormResult {
  Tensor sum, y;
};
AddNormResult add_norm(const Tensor& x, const Tensor& f, const DropoutSite& dropout, const NormWeights& weights);

// softmax(scale q k^T + bias) v for each segment and head (Vaswani et al. 2017, equation 1 and section 3.2.2). Every
// query belongs to one segment; keys that belong to none are seen by nobody.
// q [tokens_q, heads * head_dim]; k, v [tokens_k, kv_heads * head_dim]; result like q. bias: the table of a
// DistanceBias, which stands in for the one of `params`; undefined: none.
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const SegmentsPtr& segments,
                 const AttentionParams& params, const Tensor& bias = {});

// Rotary positions (Su et al. 2021): row r of x [tokens, heads * head_dim] is turned by the angles in
// table[positions[r]], see Backend::rope. Without a table x is left as it is.
struct Rotation {
  Tensor table;      // [places, head_dim]: cosines, then sines
  Tensor positions;  // i32 [tokens]
};
Tensor rope(const Tensor& x, const Rotation& rotation);

// dropout(scale table[ids] + positions[position]) (section 3.4 and 3.5): ids i32 [tokens] -> [tokens, model]; they lie
// on the host or, where nothing is recorded and unchecked, on the table's device. positions [longest, model] or
// undefined. Rows with id `padding` give the table no gradient.
Tensor embedding(const Tensor& ids, const Tensor& table, float scale, const TokenRowsPtr& rows, const Tensor& positions,
                 const DropoutSite& dropout, int32_t padding = -1);
// The same with a table that may serve as the output's weight, too, and be there only as products read it.
Tensor embedding(const Tensor& ids, const Weight& table, float scale, const TokenRowsPtr& rows, const Tensor& positions,
                 const DropoutSite& dropout, int32_t padding = -1);

// The loss of predicting `targets` (i32 [tokens], -100: none) from x [tokens, model] through w [vocab, model] and bias
// (undefined: none), with label smoothing (Szegedy et al. 2016). The logits exist only a chunk at a time.
struct CrossEntropyResult {
  Tensor loss;         // sum of smoothed losses / divisor, one element
  DeviceSum loss_sum;  // of smoothed losses
  DeviceSum nll_sum;   // of losses without smoothing
  int64_t tokens = 0;  // that have a target
  Tensor nll;          // [tokens], of each token without smoothing; not differentiable
};
CrossEntropyResult linear_cross_entropy(const Tensor& x, const Weight& w, const Tensor& bias, const Tensor& targets,
                                        float smoothing, double divisor);

// --- losses of small heads
// --------------------------------------------------------------------------------------------

struct LossResult {
  Tensor loss;          // sum of losses / divisor, one element
  DeviceSum loss_sum;   // before the division
  int64_t targets = 0;  // that gave a loss
};
// Cross entropy of each row of logits [rows, classes] with its class: i32 [rows], -100: none; times the row's weight
// (f32 [rows]) where weights are given.
LossResult cross_entropy(const Tensor& logits, const Tensor& targets, float smoothing, double divisor,
                         const Tensor& row_weights = {});
// The same where classes share a row: shares f32 [rows, classes], from 0 on, is how much each class counts; in a row
// of zeros none does.
LossResult soft_cross_entropy(const Tensor& logits, const Tensor& shares, double divisor);
// Of independent yes-or-no questions, the probability of yes being sigmoid(logits): values [rows, labels] in [0, 1].
LossResult binary_cross_entropy(const Tensor& logits, const Tensor& values, double divisor);
// (x - values)^2, the same shape.
LossResult squared_error(const Tensor& x, const Tensor& values, double divisor);
// Where a span begins and ends in each row of a ragged batch: logits [tokens, 2] compete within their row. The loss of
// a row is the mean of both; a place outside the row gives none. targets: rows that gave a loss.
LossResult span_cross_entropy(const Tensor& logits, std::span<const int32_t> offsets, std::span<const int32_t> begins,
                              std::span<const int32_t> ends, double divisor);

// --- elementary operations
// --------------------------------------------------------------------------------------------

// x in that element type: x itself if it has that, or is undefined.
Tensor cast(const Tensor& x, DType dtype);
Tensor add(const Tensor& a, const Tensor& b, const DropoutSite& dropout = {});  // a + dropout(b); same shape
Tensor multiply(const Tensor& a, const Tensor& b);                              // same shape
Tensor scale(const Tensor& x, float factor);
Tensor activation(const Tensor& x, Activation kind);
Tensor dropout(const Tensor& x, const DropoutSite& dropout);
Tensor sum(const Tensor& x);  // one element, on the host
// op(a) op(b) of two matrices.
Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a = false, bool transpose_b = false);
Tensor softmax(const Tensor& x);      // over the last dimension
Tensor log_softmax(const Tensor& x);  // over the last dimension; not differentiable
// Parts side by side (equal rows) or below each other (equal columns).
Tensor concatenate_columns(const std::vector<Tensor>& parts);
Tensor concatenate_rows(const std::vector<Tensor>& parts);

}  // namespace heed::ops
