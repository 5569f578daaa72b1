// A model of random weights and random sentences, at the shapes that `heed bench` measures.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "heed/cli/command.h"
#include "heed/models/marian.h"

namespace heed::cli {

// A model in training on one batch.
struct BenchTraining {
  std::unique_ptr<models::Model> model;
  std::function<ops::CrossEntropyResult(const models::LossOptions& options)> loss;
  int64_t targets = 0;          // tokens that are predicted
  double forward_products = 0;  // multiply-adds of the forward matrix products, without padding
};

class BenchModel {
 public:
  // Adds --preset, --vocab, --sentences, --length, --jitter, --dropout, --device, --threads, --seed, --json. Presets
  // are encoder-decoders and, if `decoder_too`, one decoder alone, as large as the smallest GPT-2.
  void add_to(Command& command, bool decoder_too);
  // After command.parse(): the network of the preset, to be trained on sentences, a decoder alone on rows of them.
  // Throws UsageError.
  BenchTraining training(const Command& command, Random& random) const;
  // The same as it is loaded from a folder to be run, with --dtype (Command::use_dtype()).
  std::unique_ptr<models::Seq2SeqModel> load(const Command& command) const;
  // Sentences of uniformly drawn words, length ± jitter tokens each.
  Ragged sentences(Random& random) const;

  int sentence_count() const { return sentences_; }
  int length() const { return length_; }
  const std::string& preset() const { return preset_; }

 private:
  std::unique_ptr<models::MarianModel> network(const Command& command) const;  // on the CPU
  BenchTraining encoder_decoder(const Command& command, Random& random) const;
  BenchTraining decoder(const Command& command, Random& random) const;

  std::string preset_ = "tiny";
  int vocab_ = 10000, sentences_ = 315, length_ = 13, jitter_ = 0;
  float dropout_ = 0.1f;
};

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

// What is taken of a GPU's memory, by other processes, too: of blocks that this one has had, none is given back.
uint64_t memory_taken(Device device);

}  // namespace heed::cli
