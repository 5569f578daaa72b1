// Residual addition with dropout and normalisation in one pass, and its backward.
//
// Layer normalisation: Ba, Kiros and Hinton 2016; root mean square: Zhang and Sennrich 2019. A row is read from memory
// once: the passes after the first find it in the first-level cache.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "heed/cpu/norm.cpp"
#include <hwy/foreach_target.h>  // must come first: it includes this file once per instruction set

#include <cmath>
#include <vector>

#include "heed/base/threads.h"
#include "heed/cpu/cpu_backend.h"
#include "heed/cpu/dropout-inl.h"
#include "heed/cpu/math-inl.h"
#include "heed/cpu/norm_args.h"

HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {

constexpr int64_t kGrain = 1 << 13;

// s = x + dropout(f) for one row.
HWY_INLINE void add_row(const float* x, const float* f, const DropoutRow* random, int64_t cols, float* s) {
  const FloatTag d;
  const int64_t lanes = lane_count();
  alignas(64) float factors[kDropoutGroup];
  for (int64_t c = 0; c < cols; c += lanes) {
    FloatVec value = load(x + c, cols - c);
    if (f) {
      FloatVec term = load(f + c, cols - c);
      if (random) {
        if (c % kDropoutGroup == 0) random->group(c / kDropoutGroup, factors);
        term = hn::Mul(term, hn::LoadU(d, factors + c % kDropoutGroup));
      }
      value = hn::Add(value, term);
    }
    store(value, s + c, cols - c);
  }
}

struct Statistics {
  float mean, reciprocal_deviation;
};

HWY_INLINE Statistics row_statistics(const float* s, int64_t cols, NormKind kind, float epsilon) {
  const FloatTag d;
  const int64_t lanes = lane_count();
  const float n = static_cast<float>(cols);
  float mean = 0;
  if (kind == NormKind::kLayer) {
    FloatVec sum = hn::Zero(d);
    for (int64_t c = 0; c < cols; c += lanes) sum = hn::Add(sum, load(s + c, cols - c));
    mean = sum_lanes(sum) / n;
  }
  const FloatVec m = hn::Set(d, mean);
  FloatVec squares = hn::Zero(d);
  for (int64_t c = 0; c < cols; c += lanes) {
    FloatVec centred = hn::Sub(load(s + c, cols - c), m);
    if (cols - c < lanes) centred = hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(cols - c)), centred);
    squares = hn::MulAdd(centred, centred, squares);
  }
  return {mean, 1.0f / std::sqrt(sum_lanes(squares) / n + epsilon)};
}

void add_norm(const TensorView& x, const TensorView& f, const Dropout& spec, NormKind kind, float epsilon,
              const TensorView& gamma, const TensorView& beta, const TensorView& sum, const TensorView& y,
              const TensorView& statistics) {
  const FloatTag d;
  const int64_t lanes = lane_count(), cols = y.cols();
  const float* g = gamma.as<float>();
  const float* b = beta ? beta.as<float>() : nullptr;
  parallel_for(y.rows(), 1 + kGrain / (cols + 1), [&](int64_t begin, int64_t end, int) HWY_ATTR {
    for (int64_t r = begin; r < end; ++r) {
      float* out = y.row<float>(r);
      float* s = sum ? sum.row<float>(r) : out;
      if (spec.active()) {
        const DropoutRow random = dropout_row(spec, r);
        add_row(x.row<float>(r), f ? f.row<float>(r) : nullptr, &random, cols, s);
      } else {
        add_row(x.row<float>(r), f ? f.row<float>(r) : nullptr, nullptr, cols, s);
      }
      const Statistics st = row_statistics(s, cols, kind, epsilon);
      if (statistics) {
        statistics.row<float>(r)[0] = st.mean;
        statistics.row<float>(r)[1] = st.reciprocal_deviation;
      }
      const FloatVec mean = hn::Set(d, st.mean), rstd = hn::Set(d, st.reciprocal_deviation);
      for (int64_t c = 0; c < cols; c += lanes) {
        FloatVec value = hn::Mul(hn::Sub(load(s + c, cols - c), mean), rstd);
        value = hn::Mul(value, load(g + c, cols - c));
        if (b) value = hn::Add(value, load(b + c, cols - c));
        store(value, out + c, cols - c);
      }
    }
  });
}

// dx and df of row r from g's parts: g = rstd (gg - mean_g - norm mean_gn) + dsum, where gg = dy gamma.
HWY_INLINE void write_row(const NormBackward& b, int64_t r, FloatVec mean, FloatVec rstd, FloatVec mean_g,
                          FloatVec mean_gn) {
  const FloatTag d;
  const int64_t lanes = lane_count(), cols = b.dy.cols();
  const bool drop = b.df && b.dropout.active();
  const DropoutRow random = drop ? dropout_row(b.dropout, r) : DropoutRow(b.dropout, 0, 0);
  alignas(64) float factors[kDropoutGroup];
  float* dx = b.dx ? b.dx.row<float>(r) : nullptr;
  float* df = b.df ? b.df.row<float>(r) : nullptr;
  for (int64_t c = 0; c < cols; c += lanes) {
    const int64_t left = cols - c;
    const FloatVec norm = hn::Mul(hn::Sub(load(b.sum.row<float>(r) + c, left), mean), rstd);
    const FloatVec gg = hn::Mul(load(b.dy.row<float>(r) + c, left), load(b.gamma.as<float>() + c, left));
    FloatVec value = hn::Mul(rstd, hn::NegMulAdd(norm, mean_gn, hn::Sub(gg, mean_g)));
    if (b.dsum) value = hn::Add(value, load(b.dsum.row<float>(r) + c, left));
    if (dx) store(b.accumulate_dx ? hn::Add(value, load(dx + c, left)) : value, dx + c, left);
    if (!df) continue;
    if (drop) {
      if (c % kDropoutGroup == 0) random.group(c / kDropoutGroup, factors);
      value = hn::Mul(value, hn::LoadU(d, factors + c % kDropoutGroup));
    }
    store(b.accumulate_df ? hn::Add(value, load(df + c, left)) : value, df + c, left);
  }
}

// Per row, with n = (sum - mean) rstd and gg = dy gamma:
//   g = rstd (gg - mean(gg) - n mean(gg n)) + dsum; for kRms without mean(gg). dgamma += dy n; dbeta += dy.
void norm_backward_rows(const NormBackward& b, int64_t begin, int64_t end, float* dgamma, float* dbeta) {
  const FloatTag d;
  const int64_t lanes = lane_count(), cols = b.dy.cols();
  const float n = static_cast<float>(cols);
  const float* g = b.gamma.as<float>();
  for (int64_t r = begin; r < end; ++r) {
    const float* s = b.sum.row<float>(r);
    const float* grad = b.dy.row<float>(r);
    const float* st = b.statistics.row<float>(r);
    const FloatVec mean = hn::Set(d, st[0]), rstd = hn::Set(d, st[1]);
    FloatVec sum_g = hn::Zero(d), sum_gn = hn::Zero(d);
    for (int64_t c = 0; c < cols; c += lanes) {
      const int64_t left = cols - c;
      const FloatVec gy = load(grad + c, left);
      const FloatVec norm = hn::Mul(hn::Sub(load(s + c, left), mean), rstd);
      const FloatVec gg = hn::Mul(gy, load(g + c, left));
      sum_g = hn::Add(sum_g, gg);
      sum_gn = hn::MulAdd(gg, norm, sum_gn);
      store(hn::MulAdd(gy, norm, load(dgamma + c, left)), dgamma + c, left);
      store(hn::Add(gy, load(dbeta + c, left)), dbeta + c, left);
    }
    const FloatVec mean_g = hn::Set(d, b.kind == NormKind::kLayer ? sum_lanes(sum_g) / n : 0.0f);
    write_row(b, r, mean, rstd, mean_g, hn::Set(d, sum_lanes(sum_gn) / n));
  }
}

void norm_backward(const NormBackward& b, bool accumulate_parameters, const TensorView& dgamma,
                   const TensorView& dbeta) {
  const int64_t rows = b.dy.rows(), cols = b.dy.cols(), grain = 1 + kGrain / (cols + 1);
  const auto parts = static_cast<size_t>(part_count(rows, grain));
  std::vector<float> partial(2 * parts * static_cast<size_t>(cols));
  parallel_for(rows, grain, [&](int64_t begin, int64_t end, int part) {
    float* mine = partial.data() + 2 * part * cols;
    norm_backward_rows(b, begin, end, mine, mine + cols);
  });
  const auto combine = [&](const TensorView& to, int64_t offset) {
    if (!to) return;
    for (int64_t c = 0; c < cols; ++c) {
      float value = accumulate_parameters ? to.as<float>()[c] : 0.0f;
      for (size_t i = 0; i < parts; ++i)
        value += partial[2 * i * static_cast<size_t>(cols) + static_cast<size_t>(offset + c)];
      to.as<float>()[c] = value;
    }
  };
  combine(dgamma, 0);
  combine(dbeta, cols);
}

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::cpu {
namespace {
HWY_EXPORT(add_norm);
HWY_EXPORT(norm_backward);
}  // namespace

void CpuBackend::add_norm(const TensorView& x, const TensorView& f, const Dropout& dropout, NormKind kind,
                          float epsilon, const TensorView& gamma, const TensorView& beta, const TensorView& sum,
                          const TensorView& y, const TensorView& statistics) {
  HWY_DYNAMIC_DISPATCH(add_norm)(x, f, dropout, kind, epsilon, gamma, beta, sum, y, statistics);
}
void CpuBackend::norm_backward(const TensorView& sum, const TensorView& statistics, NormKind kind,
                               const TensorView& gamma, const TensorView& dy, const TensorView& dsum,
                               const Dropout& dropout, bool accumulate_dx, const TensorView& dx, bool accumulate_df,
                               const TensorView& df, bool accumulate_parameters, const TensorView& dgamma,
                               const TensorView& dbeta) {
  HWY_DYNAMIC_DISPATCH(norm_backward)
  ({sum, statistics, kind, gamma, dy, dsum, dropout, accumulate_dx, dx, accumulate_df, df}, accumulate_parameters,
   dgamma, dbeta);
}

}  // namespace heed::cpu
#endif
