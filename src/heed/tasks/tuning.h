// What of a pretrained model is trained, and how fast: all of it, the upper layers, low-rank adapters.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "heed/base/json.h"
#include "heed/io/model_folder.h"
#include "heed/models/lora.h"
#include "heed/models/parameter_place.h"

namespace heed::tasks {

struct Tuning {
  models::FineTuning rates;
  models::LoraConfig lora;  // of rank 0: none; with it, rates say nothing
};

// Sets it up. `fresh`: parameters that are new to the model, which adapters leave to be trained whole. Returns the
// adapters, or nullptr; the model must outlive them. Throws UsageError for layers or targets that there are not.
std::shared_ptr<models::Lora> tune(models::Model& model, const Tuning& tuning, std::span<const std::string> fresh,
                                   uint64_t seed);

// The model's folder with the adapters merged; they stand in its folder adapter/ besides, for the model in `base`.
// Without adapters: `content`.
io::ModelContent with_adapters(io::ModelContent content, const std::shared_ptr<models::Lora>& lora,
                               const std::filesystem::path& base);

// What must be the same when a training is resumed, by option.
Json identity_of(const Tuning& tuning);

}  // namespace heed::tasks
