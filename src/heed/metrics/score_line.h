// How a score is printed: sacreBLEU's line and the signature that says what was computed.
//
// The signature has sacreBLEU's fields in its order, but where that program would state its version it says that Heed
// made the number and which version of sacreBLEU it equals.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "heed/metrics/bootstrap.h"
#include "heed/metrics/references.h"

namespace heed::metrics {

using SignatureFields = std::vector<std::pair<std::string_view, std::string>>;

// nrefs:N (or "var"), bs and seed if there are intervals, the metric's own fields, impl, compatible.
std::string signature(const References& references, const std::optional<BootstrapOptions>& bootstrap,
                      const SignatureFields& fields);

// "NAME|SIGNATURE = SCORE (μ = MEAN ± HALF) DETAILS" with `width` decimals; what is empty or absent is left out.
std::string score_line(std::string_view name, std::string_view signature, double score,
                       const std::optional<Confidence>& confidence, std::string_view details, int width);

}  // namespace heed::metrics
