#include "heed/tasks/tuning.h"

#include <algorithm>

#include "heed/base/log.h"

namespace heed::tasks {
namespace fs = std::filesystem;

std::shared_ptr<models::Lora> tune(models::Model& model, const Tuning& tuning, std::span<const std::string> fresh,
                                   uint64_t seed) {
  std::shared_ptr<models::Lora> lora;
  if (tuning.lora.rank > 0) {
    std::vector<std::string> whole = models::head_parameters(model);
    for (const std::string& name : fresh)
      if (std::ranges::find(whole, name) == whole.end()) whole.push_back(name);
    lora = std::make_shared<models::Lora>(model, tuning.lora, whole, seed);
  } else if (tuning.rates.changes_anything()) {
    models::set_rates(model.parameters(), tuning.rates);
  } else {
    return nullptr;
  }
  int64_t trained = 0;
  for (const auto& part : model.parameters().rates()) trained += part.count;
  log().info("{} of {} parameters are trained", trained, model.parameters().values().numel());
  return lora;
}

io::ModelContent with_adapters(io::ModelContent content, const std::shared_ptr<models::Lora>& lora,
                               const fs::path& base) {
  if (!lora) return content;
  content.tensors = lora->merged();
  content.add_weights = [lora, from = fs::absolute(base).lexically_normal().string()](const fs::path& folder) {
    lora->write(folder / "adapter", from);
  };
  return content;
}

Json identity_of(const Tuning& tuning) {
  const models::FineTuning& r = tuning.rates;
  const models::LoraConfig& l = tuning.lora;
  return {
      {"freeze", r.freeze_layers > 0 ? Json(r.freeze_layers) : Json(r.freeze_embeddings ? "embeddings" : "nothing")},
      {"layer-decay", r.layer_decay},
      {"lora-rank", l.rank},
      {"lora-alpha", l.alpha},
      {"lora-dropout", l.dropout},
      {"lora-targets", l.targets}};
}

}  // namespace heed::tasks
