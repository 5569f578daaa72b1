#include "heed/metrics/score_line.h"

#include <fmt/format.h>

#include "heed/base/error.h"

namespace heed::metrics {

std::string signature(const References& references, const std::optional<BootstrapOptions>& bootstrap,
                      const SignatureFields& fields) {
  bool same = true;
  for (const auto& segment : references) same = same && segment.size() == references[0].size();
  std::string text = same && !references.empty() ? fmt::format("nrefs:{}", references[0].size()) : "nrefs:var";
  if (bootstrap) text += fmt::format("|bs:{}|seed:{}", bootstrap->samples, bootstrap->seed);
  for (const auto& [name, value] : fields) text += fmt::format("|{}:{}", name, value);
  return text + "|impl:heed-" HEED_VERSION "|compatible:sacrebleu-2.6.0";
}

std::string score_line(std::string_view name, std::string_view signature, double score,
                       const std::optional<Confidence>& confidence, std::string_view details, int width) {
  check<UsageError>(width >= 0 && width <= 100, "a score has 0 to 100 decimals, not {}", width);
  std::string line(name);
  if (!signature.empty()) line += fmt::format("|{}", signature);
  line += fmt::format(" = {:.{}f}", score, width);
  // Without a mean above zero sacreBLEU prints no interval.
  if (confidence && confidence->mean > 0)
    line += fmt::format(" (μ = {:.{}f} ± {:.{}f})", confidence->mean, width, confidence->half_width, width);
  if (!details.empty()) line += fmt::format(" {}", details);
  return line;
}

}  // namespace heed::metrics
