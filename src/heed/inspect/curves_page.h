// Curves of trainings as one file that needs no other: a page (HTML) with a table of the runs and values under the
// pointer, or a picture (SVG). Both follow the reader's light or dark scheme. Pure functions.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "heed/inspect/curves.h"

namespace heed::inspect {

// `names`: of the runs, in their order, in place of the logs' own.
std::string curves_html(std::span<const TrainingLog> runs, const std::vector<std::string>& names,
                        std::span<const Panel> panels);
std::string curves_svg(std::span<const TrainingLog> runs, const std::vector<std::string>& names,
                       std::span<const Panel> panels);

// What a run came to, for tables: steps, time, last loss, best score; and the same as one line.
struct RunSummary {
  std::string name{}, steps{}, epochs{}, time{}, loss{}, best{};
  std::string line() const;
};
RunSummary summary_of(const TrainingLog& log, const std::string& name);

}  // namespace heed::inspect
