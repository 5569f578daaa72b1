// Options of corrupted text, shared by training and evaluation.
#pragma once

#include "heed/cli/command.h"
#include "heed/tasks/noisy_text.h"

namespace heed::cli {

struct DenoiseOptions {
  std::optional<tasks::Denoising> kind;
  tasks::NoisyTextOptions noise;

  void add_to(Options& o) {
    o.add_choice<std::optional<tasks::Denoising>>(
        "objective", kind,
        {{"auto", std::nullopt}, {"spans", tasks::Denoising::kSpans}, {"infilling", tasks::Denoising::kInfilling}},
        "What is done to the text: T5's sentinels for spans, or BART's masks");
    o.add("noise-density", noise.density, "Share of the tokens that are hidden")
        .range(0.001, 0.99)
        .default_text("0.15; infilling: 0.3");
    o.add("mean-span", noise.mean_length, "Tokens of a hidden span, on average").range(1, 1000);
    o.add("permute-sentences", noise.permute, "Infilling: sentences change places");
    o.add("packed", noise.packed, "Lay documents one behind the other, so that all examples are full");
  }
};

}  // namespace heed::cli
