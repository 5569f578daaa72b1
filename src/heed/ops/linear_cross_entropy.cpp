// Output projection and loss together, a chunk of rows at a time: the [tokens, vocab] logits never exist whole.
//
// The gradients are taken in the forward, while a chunk's logits are in the cache: three products instead of four, and
// memory for one chunk. backward() only scales what was found.
#include <algorithm>
#include <optional>

#include "heed/ops/ops.h"
#include "heed/tensor/backends.h"

namespace heed::ops {
namespace {

// Logits of one chunk: about this many bytes, so that they stay in the CPU's last-level cache; on a GPU, so that a
// chunk has rows enough to keep it busy.
constexpr int64_t kChunkBytes = 10 << 20, kChunkBytesElsewhere = 256 << 20;

struct Chunks {
  Tensor logits, losses, nll;
  Tensor dlogits;  // the logits themselves where they have its element type
  int64_t rows;
};

Chunks make_chunks(int64_t tokens, int64_t vocab, DType gradients, Device device) {
  const int64_t bytes = device.is_host() ? kChunkBytes : kChunkBytesElsewhere;
  const int64_t rows = std::clamp<int64_t>(bytes / (4 * vocab), 32, std::max<int64_t>(tokens, 1));
  // On a GPU rows begin at multiples of eight numbers, as its products read them.
  const int64_t stride = device.is_host() ? vocab : (vocab + 7) / 8 * 8;
  const auto rows_of = [&](DType dtype) {
    return Tensor::empty({rows, stride}, dtype, device).slice_columns(0, vocab);
  };
  const Tensor logits = rows_of(DType::kF32);
  return {logits, Tensor::empty({tokens}, DType::kF32, device), Tensor::empty({tokens}, DType::kF32, device),
          gradients == DType::kF32 ? logits : rows_of(gradients), rows};
}

// The products of training, with what is made of the weight once for all chunks.
class Products {
 public:
  Products(const Weight& w, int64_t rows)
      : w_(w),
        on_(backend(w.master().device())),
        forward_(on_.pack_factor(w.master().view(), !w.transposed(), w.product_dtype(), rows)),
        backward_(on_.pack_factor(w.master().view(), w.transposed(), w.product_dtype(), rows)) {}

  // logits = x w^T + bias
  void logits(const TensorView& x, const TensorView& bias, const TensorView& y) const {
    on_.linear(x, *forward_, bias, Activation::kNone, {}, {}, y);
  }
  // dx = dlogits w
  void input_gradient(const TensorView& dlogits, const TensorView& dx) const {
    on_.gemm_factor(dlogits, false, *backward_, false, dx);
  }
  // dw = dlogits^T x
  void weight_gradient(const TensorView& dlogits, const TensorView& x, bool accumulate, const TensorView& dw) const {
    const TensorView& a = w_.transposed() ? x : dlogits;
    const TensorView& b = w_.transposed() ? dlogits : x;
    on_.gemm_factor(a, true, *on_.pack_factor(b, false, w_.product_dtype(), dw.rows()), accumulate, dw);
  }

 private:
  const Weight& w_;
  Backend& on_;
  std::shared_ptr<const PackedMatrix> forward_, backward_;
};

}  // namespace

CrossEntropyResult linear_cross_entropy(const Tensor& x, const Weight& w, const Tensor& bias,
                                        const Tensor& host_targets, float smoothing, double divisor) {
  const int64_t tokens = x.shape().rows(), vocab = w.out_features();
  check<ShapeError>(host_targets.numel() == tokens, "cross entropy: {} targets for {} rows", host_targets.numel(),
                    tokens);
  CrossEntropyResult result;
  for (int64_t i = 0; i < tokens; ++i) {
    const int32_t target = host_targets.data<int32_t>()[i];
    check<ShapeError>(target < vocab, "cross entropy: target {} of {} classes", target, vocab);
    result.tokens += target >= 0;
  }
  const Tensor& master = w.master();
  const Tensor targets = host_targets.to(x.device());
  Backend& on = backend(x.device());
  const bool grad = needs_grad({&x, &master, &bias});
  const Chunks c = make_chunks(tokens, vocab, x.dtype(), x.device());
  const Tensor dx = grad ? Tensor::empty(x.shape(), x.dtype(), x.device()) : Tensor();
  const Tensor dw = grad ? Tensor::empty(master.shape(), DType::kF32, x.device()) : Tensor();
  const Tensor dbias = needs_grad({&bias}) ? Tensor::zeros(bias.shape(), DType::kF32, x.device()) : Tensor();
  std::optional<Products> products;
  if (grad) products.emplace(w, tokens);
  for (int64_t r = 0; r < tokens; r += c.rows) {
    const int64_t n = std::min(c.rows, tokens - r);
    const TensorView logits = c.logits.slice_rows(0, n).view(), rows = x.slice_rows(r, n).view();
    const TensorView dlogits = grad ? c.dlogits.slice_rows(0, n).view() : TensorView();
    if (grad) products->logits(rows, bias.view(), logits);
    else on.linear_packed(rows, *w.packed(), bias.view(), Activation::kNone, logits);
    on.cross_entropy(logits, targets.slice_rows(r, n).view(), smoothing, c.losses.slice_rows(r, n).view(),
                     c.nll.slice_rows(r, n).view(), dlogits);
    if (!grad) continue;
    products->input_gradient(dlogits, dx.slice_rows(r, n).view());
    products->weight_gradient(dlogits, rows, r > 0, dw.view());
    if (dbias.defined()) on.column_sum(dlogits, true, dbias.view());
  }
  result.loss = Tensor::empty({1}, DType::kF32, x.device());
  result.loss_sum = sum_on_device(c.losses, divisor, result.loss);
  result.nll_sum = sum_on_device(c.nll);
  result.nll = c.nll;
  if (grad && tokens == 0) on.fill(dw.view(), 0);
  record(result.loss, {&x, &master, &bias}, [x, master, bias, dx, dw, dbias, divisor](const Tensor& dloss) {
    const auto give = [&](const Tensor& to, const Tensor& found) {
      if (auto slot = grad_slot(to))
        backend(to.device()).scale_by(found.view(), dloss.view(), divisor, slot.accumulate, slot.view());
    };
    give(x, dx);
    give(master, dw);
    give(bias, dbias);
  });
  return result;
}

}  // namespace heed::ops
