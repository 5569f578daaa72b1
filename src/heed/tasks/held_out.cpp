#include "heed/tasks/held_out.h"

#include <cmath>

#include "heed/base/error.h"

namespace heed::tasks {

size_t kept_for_training(size_t count, std::string_view unit, const std::filesystem::path& train,
                         const std::filesystem::path& valid, double fraction) {
  check<UsageError>(valid.empty() || fraction == 0, "give --valid or --valid-fraction, not both");
  check<UsageError>(fraction >= 0 && fraction < 1, "--valid-fraction is {}; it lies between 0 and 1", fraction);
  if (fraction == 0) return count;
  const auto held = static_cast<size_t>(std::llround(static_cast<double>(count) * fraction));
  check<DataError>(held > 0 && held < count, "{}: of {} {} --valid-fraction {} leaves none", train.string(), count,
                   unit, fraction);
  return count - held;
}

}  // namespace heed::tasks
