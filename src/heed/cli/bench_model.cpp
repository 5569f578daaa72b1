#include "heed/cli/bench_model.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "heed/models/registry.h"
#include "heed/models/save.h"
#include "heed/tasks/presets.h"
#include "heed/tensor/backends.h"

namespace heed::cli {

namespace {

constexpr const char* kDecoder = "decoder";

// Multiply-adds of the forward matrix products for one batch.
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

// A decoder alone as large as the smallest of GPT-2 (Radford et al. 2019, table 2).
models::NewModel decoder_structure() {
  models::NewModel wanted;
  wanted.layers = 12;
  wanted.heads = 12;
  wanted.d_model = 768;
  wanted.positions = 1024;
  return wanted;
}

double forward_products(const models::NewModel& c, const Ragged& rows) {
  const auto d = static_cast<double>(c.d_model), t = static_cast<double>(rows.tokens());
  double pairs = 0;  // of queries and keys that they see
  for (int i = 0; i < rows.rows(); ++i) pairs += 0.5 * rows.length(i) * (rows.length(i) + 1);
  const double layer = t * (4 * d * d + 2 * d * c.ffn_width()) + 2 * d * pairs;
  return c.layers * layer + t * d * c.vocab;
}

}  // namespace

void BenchModel::add_to(Command& command, bool decoder_too) {
  Options& o = command.options();
  std::vector<std::string> presets = tasks::preset_names();
  if (decoder_too) presets.emplace_back(kDecoder);
  o.add("preset", preset_, "Size of the model").choices(presets);
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

std::unique_ptr<models::MarianModel> BenchModel::network(const Command& command) const {
  models::EncoderDecoderConfig c = tasks::preset_structure(preset_);
  c.vocab_size = c.decoder_vocab_size = vocab_;
  c.dropout = c.attention_dropout = c.activation_dropout = dropout_;
  c.max_positions = std::max<int64_t>(256, 2 * (length_ + jitter_));
  c.pad_id = c.decoder_start_id = vocab_ - 1;
  return std::make_unique<models::MarianModel>(c, command.common().seed);
}

BenchTraining BenchModel::training(const Command& command, Random& random) const {
  BenchTraining training = preset_ == kDecoder ? decoder(command, random) : encoder_decoder(command, random);
  training.model->parameters().move_to(command.common().device);
  return training;
}

BenchTraining BenchModel::encoder_decoder(const Command& command, Random& random) const {
  auto model = network(command);
  models::Seq2SeqBatch batch;
  batch.source = sentences(random);
  batch.target = sentences(random);
  const int64_t targets = batch.target.tokens();
  const double products = forward_products(model->structure(), batch.source, batch.target);
  const auto loss = [&trained = *model, batch = std::move(batch)](const models::LossOptions& options) {
    return trained.loss(batch, options);
  };
  return {std::move(model), loss, targets, products};
}

BenchTraining BenchModel::decoder(const Command& command, Random& random) const {
  models::NewModel wanted = decoder_structure();
  wanted.vocab = vocab_;
  wanted.positions = std::max(*wanted.positions, length_ + jitter_);
  wanted.dropout = dropout_;
  const Json config = models::new_config(models::families_of(models::Kind::kCausal).front(), wanted);
  auto model = models::make_model(config, "the preset", command.common().seed);
  models::TextBatch batch;
  batch.ids = sentences(random);
  const std::vector<int32_t> next = models::next_tokens(batch.ids);
  const int64_t targets = batch.ids.tokens() - batch.ids.rows();
  const double products = forward_products(wanted, batch.ids);
  const auto& trained = dynamic_cast<const models::CausalModel&>(*model);
  const auto loss = [&trained, batch = std::move(batch), next](const models::LossOptions& options) {
    return trained.loss(batch, next, options);
  };
  return {std::move(model), loss, targets, products};
}

std::unique_ptr<models::Seq2SeqModel> BenchModel::load(const Command& command) const {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / fmt::format("heed-bench-{}", ::getpid());
  const std::shared_ptr<void> removed(nullptr, [&](void*) { fs::remove_all(folder); });
  io::write_model_folder(folder, models::content_of(*network(command), nullptr));
  return models::load_seq2seq(io::ModelFolder::open(folder), command.load_options());
}

Ragged BenchModel::sentences(Random& random) const {
  check<UsageError>(jitter_ < length_, "a jitter of {} leaves no token of sentences of {}", jitter_, length_);
  Ragged batch;
  for (int i = 0; i < sentences_; ++i) {
    std::vector<int32_t> row(static_cast<size_t>(length_ - jitter_) +
                             random.below(2 * static_cast<uint32_t>(jitter_) + 1));
    for (int32_t& id : row) id = 3 + static_cast<int32_t>(random.below(static_cast<uint32_t>(vocab_) - 4));
    batch.append(row);
  }
  return batch;
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

uint64_t memory_taken(Device device) {
  const DeviceDescription gpu = cuda_devices().devices.at(static_cast<size_t>(device.index));
  return gpu.memory_bytes - gpu.free_bytes;
}

uint64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace heed::cli
