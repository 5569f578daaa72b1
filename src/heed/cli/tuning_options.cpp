#include "heed/cli/tuning_options.h"

#include <charconv>

namespace heed::cli {

void TuningOptions::add_to(Options& o) {
  o.add("freeze", freeze_, "With --init: embeddings, or how many layers (and the embeddings), stay as they are")
      .value_name("WHAT");
  o.add("layer-decay", layer_decay_, "With --init: each layer learns at this share of the rate of the one above it")
      .range(0.01, 1);
  o.add("lora-rank", lora_.rank, "With --init: train low-rank adapters of this rank instead of the matrices; 0: no")
      .range(0, 4096);
  o.add("lora-alpha", lora_.alpha, "Of adapters: what they give is multiplied by alpha / rank").range(0, 1e6);
  o.add("lora-dropout", lora_.dropout, "On what goes into adapters").range(0, 0.99);
  o.add("lora-targets", lora_.targets, "Linear maps that get adapters (query, value, …), or all")
      .default_text("queries and values");
}

models::FineTuning TuningOptions::rates() const {
  models::FineTuning t;
  t.layer_decay = layer_decay_;
  t.freeze_embeddings = freeze_ == "embeddings";
  if (t.freeze_embeddings || freeze_ == "nothing") return t;
  const auto [end, code] = std::from_chars(freeze_.data(), freeze_.data() + freeze_.size(), t.freeze_layers);
  check<UsageError>(code == std::errc() && end == freeze_.data() + freeze_.size() && t.freeze_layers >= 0,
                    "--freeze {}: expected \"embeddings\" or a number of layers", freeze_);
  return t;
}

tasks::Tuning TuningOptions::resolve(const Options& o, bool has_init) const {
  const bool changes_rates = freeze_ != "nothing" || layer_decay_ != 1;
  check<UsageError>(has_init || !changes_rates, "--freeze and --layer-decay are for a model that --init names");
  tasks::Tuning tuning{rates(), {}};
  for (const char* name : {"lora-alpha", "lora-dropout", "lora-targets"})
    check<UsageError>(lora_.rank > 0 || !o.given(name), "--{} is for adapters, which --lora-rank asks for", name);
  if (lora_.rank == 0) return tuning;
  check<UsageError>(has_init, "--lora-rank is for a model that --init names");
  check<UsageError>(!changes_rates,
                    "--lora-rank leaves all matrices as they are: --freeze and --layer-decay do not go with it");
  tuning.lora = lora_;
  return tuning;
}

}  // namespace heed::cli
