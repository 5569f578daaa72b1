// A model of random weights and random sentences, at the shapes that `heed bench` measures.
#pragma once

#include <memory>
#include <string>

#include "heed/cli/command.h"
#include "heed/models/marian.h"

namespace heed::cli {

class BenchModel {
 public:
  // Adds --preset, --vocab, --sentences, --length, --jitter, --dropout, --device, --threads, --seed, --json.
  void add_to(Command& command);
  // After command.parse(): the network of the preset. Throws UsageError.
  std::unique_ptr<models::MarianModel> build(const Command& command) const;
  // Sentences of uniformly drawn words, length ± jitter tokens each.
  Ragged sentences(Random& random) const;

  int sentence_count() const { return sentences_; }
  int length() const { return length_; }
  const std::string& preset() const { return preset_; }

 private:
  std::string preset_ = "tiny";
  int vocab_ = 10000, sentences_ = 315, length_ = 13, jitter_ = 0;
  float dropout_ = 0.1f;
};

// Multiply-adds of the forward matrix products for one batch, without padding.
double forward_products(const models::EncoderDecoderConfig& c, const Ragged& source, const Ragged& target);

// The device's f32 matrix-product rate: the best of several products of 2048 x 2048 x 2048, in operations per second.
double matrix_product_peak(Device device);

struct Summary {
  double median, low, high;
};
Summary summarise(std::vector<double> seconds);

// Seconds of processor time that the process has taken, in all threads: what a busy machine disturbs least.
double cpu_seconds();

// The most memory that the process has held, in bytes.
uint64_t peak_memory();

}  // namespace heed::cli
