#include "heed/cli/bench_model.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>

#include "heed/tasks/presets.h"
#include "heed/tensor/backends.h"

namespace heed::cli {

void BenchModel::add_to(Command& command) {
  Options& o = command.options();
  o.add("preset", preset_, "Size of the model").choices(tasks::preset_names());
  o.add("vocab", vocab_, "Tokens of the vocabulary").range(8, 1 << 22);
  o.add("sentences", sentences_, "Sentences of a batch").range(1, 1 << 20);
  o.add("length", length_, "Tokens of a sentence").range(1, 4096);
  o.add("jitter", jitter_, "Lengths are drawn from length ± jitter").range(0, 4096);
  o.add("dropout", dropout_, "Dropout everywhere: residuals, attention, activations").range(0, 0.99);
  command.use_device();
  command.use_threads();
  command.use_seed();
  command.use_json();
}

std::unique_ptr<models::MarianModel> BenchModel::build(const Command& command) const {
  check<UsageError>(jitter_ < length_, "a jitter of {} leaves no token of sentences of {}", jitter_, length_);
  models::EncoderDecoderConfig c = tasks::preset_structure(preset_);
  c.vocab_size = c.decoder_vocab_size = vocab_;
  c.dropout = c.attention_dropout = c.activation_dropout = dropout_;
  c.max_positions = std::max<int64_t>(256, 2 * (length_ + jitter_));
  c.pad_id = c.decoder_start_id = vocab_ - 1;
  auto model = std::make_unique<models::MarianModel>(c, command.common().seed);
  model->parameters().move_to(command.common().device);
  return model;
}

Ragged BenchModel::sentences(Random& random) const {
  Ragged batch;
  for (int i = 0; i < sentences_; ++i) {
    std::vector<int32_t> row(static_cast<size_t>(length_ - jitter_) +
                             random.below(2 * static_cast<uint32_t>(jitter_) + 1));
    for (int32_t& id : row) id = 3 + static_cast<int32_t>(random.below(static_cast<uint32_t>(vocab_) - 4));
    batch.append(row);
  }
  return batch;
}

double forward_products(const models::EncoderDecoderConfig& c, const Ragged& source, const Ragged& target) {
  const auto d = static_cast<double>(c.d_model);
  const auto s = static_cast<double>(source.tokens()), t = static_cast<double>(target.tokens());
  double pairs_source = 0, pairs_target = 0, pairs_cross = 0;  // of queries and keys
  for (int i = 0; i < source.rows(); ++i) {
    const double n = source.length(i), m = target.length(i);
    pairs_source += n * n;
    pairs_target += m * m;
    pairs_cross += n * m;
  }
  const double encoder = s * (4 * d * d + 2 * d * static_cast<double>(c.encoder_ffn)) + 2 * d * pairs_source;
  const double decoder = t * (6 * d * d + 2 * d * static_cast<double>(c.decoder_ffn)) + s * 2 * d * d +
                         2 * d * (pairs_target + pairs_cross);
  return c.encoder_layers * encoder + c.decoder_layers * decoder + t * d * static_cast<double>(c.decoder_vocab_size);
}

double matrix_product_peak(Device device) {
  constexpr int64_t n = 2048;
  const Tensor a = Tensor::full({n, n}, 0.5, DType::kF32, device), b = Tensor::full({n, n}, 0.25, DType::kF32, device);
  const Tensor c = Tensor::empty({n, n}, DType::kF32, device);
  Backend& on = backend(device);
  double best = 1e30;
  for (int i = 0; i < 5; ++i) {
    on.synchronize();
    const auto begin = std::chrono::steady_clock::now();
    on.gemm(a.view(), false, b.view(), false, 1, false, c.view());
    on.synchronize();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return 2.0 * n * n * n / best;
}

Summary summarise(std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  return {seconds[seconds.size() / 2], seconds.front(), seconds.back()};
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

uint64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace heed::cli
