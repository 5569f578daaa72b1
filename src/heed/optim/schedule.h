// Learning rates by step.
#pragma once

#include <cstdint>
#include <string>

namespace heed::optim {

enum class ScheduleKind : uint8_t { kPaper, kInverseSqrt, kCosine, kLinear, kConstant };

// Whether its rate falls to the lowest at a last step, behind which there is nothing to train.
constexpr bool has_end(ScheduleKind kind) { return kind == ScheduleKind::kCosine || kind == ScheduleKind::kLinear; }

struct Schedule {
  ScheduleKind kind = ScheduleKind::kInverseSqrt;
  double peak = 3e-3;     // the highest rate; kPaper: a factor (1 is the paper's)
  int64_t warmup = 1500;  // steps of linear rise
  int64_t total = 0;      // steps after which kCosine and kLinear have reached `floor`
  double floor = 0;       // the lowest rate of kCosine and kLinear
  int64_t d_model = 512;  // of kPaper

  // The rate of step t >= 1. kPaper: d_model^-0.5 min(t^-0.5, t warmup^-1.5) (Vaswani et al. 2017, equation 3).
  double rate(int64_t step) const;
};

// "paper", "inverse-sqrt", "cosine", "linear", "constant"; throws UsageError for another name.
ScheduleKind schedule_from_name(const std::string& name);
const char* name_of(ScheduleKind kind);

}  // namespace heed::optim
