#include "heed/tasks/presets.h"

#include <fmt/ranges.h>

namespace heed::tasks {
namespace {

struct Preset {
  const char* name;
  int layers;
  int64_t d_model, ffn;
  int heads;
  float dropout;
  int64_t max_positions;
};

constexpr Preset kPresets[] = {{"tiny", 4, 128, 256, 4, 0.3f, 256},
                               {"small", 6, 256, 1024, 4, 0.3f, 512},
                               {"base", 6, 512, 2048, 8, 0.1f, 512},
                               {"big", 6, 1024, 4096, 16, 0.3f, 512}};

}  // namespace

models::EncoderDecoderConfig preset_structure(const std::string& name) {
  for (const Preset& p : kPresets) {
    if (name != p.name) continue;
    models::EncoderDecoderConfig c;
    c.encoder_layers = c.decoder_layers = p.layers;
    c.encoder_heads = c.decoder_heads = p.heads;
    c.d_model = p.d_model;
    c.encoder_ffn = c.decoder_ffn = p.ffn;
    c.dropout = p.dropout;
    c.max_positions = p.max_positions;
    return c;
  }
  fail<UsageError>("no preset is called \"{}\"; there are {}", name, fmt::join(preset_names(), ", "));
}

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const Preset& p : kPresets) names.emplace_back(p.name);
  return names;
}

}  // namespace heed::tasks
