#include "heed/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "heed/base/error.h"

namespace heed::optim {
namespace {

constexpr std::pair<const char*, ScheduleKind> kNames[] = {{"paper", ScheduleKind::kPaper},
                                                           {"inverse-sqrt", ScheduleKind::kInverseSqrt},
                                                           {"cosine", ScheduleKind::kCosine},
                                                           {"linear", ScheduleKind::kLinear},
                                                           {"constant", ScheduleKind::kConstant}};

}  // namespace

double Schedule::rate(int64_t step) const {
  const auto t = static_cast<double>(std::max<int64_t>(step, 1)), w = static_cast<double>(std::max<int64_t>(warmup, 1));
  if (kind == ScheduleKind::kPaper) {
    return peak / std::sqrt(static_cast<double>(d_model)) * std::min(1 / std::sqrt(t), t * std::pow(w, -1.5));
  }
  if (warmup > 0 && t <= w) return peak * t / w;
  const double left = std::max(1.0, static_cast<double>(total) - static_cast<double>(warmup));
  const double done = std::clamp((t - static_cast<double>(warmup)) / left, 0.0, 1.0);
  switch (kind) {
    case ScheduleKind::kInverseSqrt: return peak * std::sqrt(w / t);
    case ScheduleKind::kCosine: return floor + (peak - floor) * 0.5 * (1 + std::cos(std::numbers::pi * done));
    case ScheduleKind::kLinear: return floor + (peak - floor) * (1 - done);
    default: return peak;
  }
}

ScheduleKind schedule_from_name(const std::string& name) {
  for (const auto& [known, kind] : kNames)
    if (name == known) return kind;
  fail<UsageError>(
      "no learning-rate schedule is called \"{}\"; there are paper, inverse-sqrt, cosine, linear, constant", name);
}

const char* name_of(ScheduleKind kind) {
  for (const auto& [name, known] : kNames)
    if (kind == known) return name;
  return "";
}

}  // namespace heed::optim
