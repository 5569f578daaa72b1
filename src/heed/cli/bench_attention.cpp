// heed bench attention: the speed of attention by itself, forward and backward.
#include <chrono>
#include <cmath>

#include "heed/base/random.h"
#include "heed/cli/bench_model.h"
#include "heed/cli/commands.h"
#include "heed/cli/train_options.h"
#include "heed/tensor/backends.h"

namespace heed::cli {
namespace {

// One sequence after another, each of which attends to itself.
struct Sequences {
  int tokens = 32768, length = 1024, width = 2048, head_dim = 64;
  bool causal = false;
  float dropout = 0;

  void add_to(Options& o) {
    o.add("tokens", tokens, "Tokens of all sequences").range(1, 1 << 24);
    o.add("length", length, "Tokens of a sequence").range(1, 1 << 20);
    o.add("width", width, "Channels of all heads").range(1, 1 << 16);
    o.add("head-dim", head_dim, "Channels of a head").range(1, 128);
    o.add("causal", causal, "A token sees those before it");
    o.add("dropout", dropout, "Of the probabilities").range(0, 0.99);
  }
  int heads() const { return width / head_dim; }
  int sequences() const { return tokens / length; }
  std::vector<Segment> segments() const {
    std::vector<Segment> all;
    all.reserve(static_cast<size_t>(sequences()));
    for (int i = 0; i < sequences(); ++i)
      all.push_back({i * length, length, i * length, length, 0, static_cast<uint32_t>(i)});
    return all;
  }
  // Of the two products of the forward, in which nobody counts what a causal token does not see.
  double forward_operations() const { return 4.0 * sequences() * width * length * length * (causal ? 0.5 : 1); }
};

// What attention reads and writes.
class Attention {
 public:
  Attention(const Sequences& shape, Device device, DType kept, uint64_t seed)
      : on_(backend(device)), segments_(shape.segments()), random_(seed) {
    const int64_t rows = int64_t{shape.sequences()} * shape.length;
    const Shape activations{rows, int64_t{shape.heads()} * shape.head_dim};
    for (Tensor* x : {&q_, &k_, &v_, &dy_}) *x = ops::cast(numbers(activations).to(device), kept);
    for (Tensor* x : {&y_, &dq_, &dk_, &dv_}) *x = Tensor::empty(activations, kept, device);
    lse_ = Tensor::empty({rows, shape.heads()}, DType::kF32, device);
    params_.heads = params_.kv_heads = shape.heads();
    params_.head_dim = shape.head_dim;
    params_.scale = 1 / std::sqrt(static_cast<float>(shape.head_dim));
    params_.causal = shape.causal;
    params_.dropout.rate = shape.dropout;
    params_.dropout.key = seed;
  }
  // Seconds till all is computed.
  double forward() const {
    return seconds_of(
        [&] { on_.attention(q_.view(), k_.view(), v_.view(), segments_, params_, y_.view(), lse_.view()); });
  }
  double backward() const {
    return seconds_of([&] {
      on_.attention_backward(q_.view(), k_.view(), v_.view(), y_.view(), lse_.view(), dy_.view(), segments_, params_,
                             false, dq_.view(), dk_.view(), dv_.view(), {});
    });
  }

 private:
  // Normal ones, so many of them again and again.
  Tensor numbers(Shape shape) {
    constexpr int64_t kDrawn = 100003;  // a prime: no two rows are alike
    Tensor x = Tensor::empty(shape);
    auto* to = x.data<float>();
    for (int64_t i = 0; i < x.numel(); ++i) to[i] = i < kDrawn ? static_cast<float>(random_.normal()) : to[i - kDrawn];
    return x;
  }
  template <class F>
  double seconds_of(const F& f) const {
    on_.synchronize();
    const auto begin = std::chrono::steady_clock::now();
    f();
    on_.synchronize();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  Backend& on_;
  std::vector<Segment> segments_;
  AttentionParams params_;
  Random random_;
  Tensor q_, k_, v_, dy_, y_, dq_, dk_, dv_, lse_;
};

Json report_of(const Sequences& shape, const std::vector<double>& forward, const std::vector<double>& backward) {
  const Summary f = summarise(forward), b = summarise(backward);
  return {{"what", "attention"},
          {"length", shape.length},
          {"sequences", shape.sequences()},
          {"heads", shape.heads()},
          {"head_dim", shape.head_dim},
          {"causal", shape.causal},
          {"forward_ms", f.median * 1e3},
          {"forward_ms_min", f.low * 1e3},
          {"backward_ms", b.median * 1e3},
          {"backward_ms_min", b.low * 1e3},
          {"forward_tflops", shape.forward_operations() / f.median * 1e-12},
          {"backward_tflops", 2.5 * shape.forward_operations() / b.median * 1e-12}};
}

}  // namespace

int run_bench_attention(Command& command) {
  Sequences shape;
  std::string dtype = "auto";
  int runs = 10, warm_up = 3;
  command.about(
      "Measures attention by itself (Vaswani et al. 2017, equation 1), forward and backward, over sequences of one\n"
      "length. Operations are counted as usual: two products forward, five backward, half of them where it is causal.");
  command.example("heed bench attention --length 4096 --head-dim 128 --causal --device cuda --json", "");
  shape.add_to(command.options());
  command.options().add("runs", runs, "Runs measured").range(1, 100000);
  command.options().add("warm-up", warm_up, "Runs before").range(0, 1000);
  add_dtype(command.options(), dtype);
  command.use_device();
  command.use_threads();
  command.use_seed();
  command.use_json();
  command.parse();
  check<UsageError>(shape.length <= shape.tokens && shape.head_dim <= shape.width,
                    "sequences of {} of {} tokens, heads of {} of {} channels", shape.length, shape.tokens,
                    shape.head_dim, shape.width);

  const Device device = command.common().device;
  const DType kept = backend(device).activation_dtype(product_dtype(dtype, device));
  const Attention attention(shape, device, kept, command.common().seed);
  std::vector<double> forward, backward;
  for (int i = 0; i < warm_up + runs; ++i) {
    const double there = attention.forward(), back = attention.backward();
    if (i < warm_up) continue;
    forward.push_back(there);
    backward.push_back(back);
  }
  Json report = report_of(shape, forward, backward);
  report["device"] = name_of(device);
  report["dtype"] = name_of(kept);
  const double forward_ms = report["forward_ms"], backward_ms = report["backward_ms"];
  command.write_result(report, fmt::format("{} heads of {} over {} sequences of {} in {}: forward {:.3f} ms, {:.1f} "
                                           "TFLOP/s; backward {:.3f} ms, {:.1f} TFLOP/s",
                                           shape.heads(), shape.head_dim, shape.sequences(), shape.length,
                                           name_of(kept), forward_ms, report["forward_tflops"].get<double>(),
                                           backward_ms, report["backward_tflops"].get<double>()));
  return kOk;
}

}  // namespace heed::cli
