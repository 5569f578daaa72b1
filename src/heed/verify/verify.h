// Holding a model folder against what was recorded of it (docs/verify.md), or against another folder.
//
// Knows models by models/interface.h alone, whatever their family. What is recorded is described in docs/verify.md;
// tools/record_goldens/record.py records it from any model that transformers opens.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "heed/core/dtype.h"
#include "heed/models/interface.h"
#include "heed/verify/comparison.h"

namespace heed::verify {

struct Options {
  Bound outputs{2e-4, 2e-5};    // loss, logits, hidden states, attention matrices, scores of beams
  Bound gradients{1e-6, 1e-3};  // of each parameter
  double trajectory = 1e-3;     // of each loss of a training
  double gradient_norm = 2e-3;  // of each gradient norm of a training, relative
  std::filesystem::path text;   // lines that batches of a training are made of where their ids are not recorded
  Device device;                // where the model computes
  // What training rounds the factors of its products to. Where that is bf16, what is computed as in training is held
  // against the bounds of rounded_training().
  DType product = DType::kF32;
};

// The bounds of a training in bf16: 2 % of outputs and losses, 6 % of the gradient as one vector, 5 % of its norm at
// the first step (later ones are of other weights). Twice what PyTorch's autocast to bf16 is off on most recorded
// models; on those of T5, whose scores are large, it is off by more.
Options rounded_training(const Options& exact);

// Replays golden.safetensors, grads.safetensors, golden.json and golden_tokenizer.json as far as they lie in `folder`.
// Throws what loading throws; FormatError if none of them is there, or one is malformed.
Report verify_folder(const std::filesystem::path& folder, const Options& options);

struct ReferenceOptions {
  std::optional<DType> dtype;  // what the weights of `folder` are rounded to (and back) first
  Bound outputs{2e-4, 2e-5};
  size_t batch_size = 8;
};

// Runs both models on lines of text (of an encoder-decoder each line is source and target) and compares their logits,
// or the last hidden states where there is no head, and which classes or tokens are the likeliest. Of these, only such
// differences count that are no near-ties: where the reference's two values lie farther apart than twice the bound. The
// ids are those of `folder`'s tokenizer; longer lines are cut to what both models take.
Report compare_folders(const std::filesystem::path& folder, const std::filesystem::path& reference,
                       const std::vector<std::string>& lines, const ReferenceOptions& options);

// The parts of verify_folder.
void replay_outputs(const models::Model& model, const io::SafeTensors& golden, const Options& options, Report& report);
// The logits as training computes them; a model without a head has none.
void replay_training_outputs(const models::Model& model, const io::SafeTensors& golden, const Options& options,
                             Report& report);
void replay_gradients(models::Model& model, const io::SafeTensors& golden, const io::SafeTensors& gradients,
                      const Options& options, Report& report);
void replay_generation(const models::Model& model, const Json& entries, const Options& options, Report& report);
// Changes the model's parameters.
void replay_training(models::Model& model, const std::filesystem::path& folder, const Json& train,
                     const Options& options, Report& report);
void replay_tokenizer(const std::filesystem::path& folder, const Json& golden, Report& report);

}  // namespace heed::verify
