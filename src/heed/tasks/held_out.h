// What is held out of the training examples for validation where no file of other ones is given: the last of them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

namespace heed::tasks {

// How many of `count` examples remain to be trained on: all of them if `valid` names a file or the fraction is 0.
// `unit` is what messages call them ("sentences"). A pure function. Throws UsageError if both are given or the fraction
// is not in [0, 1), and DataError if nothing is left on either side.
size_t kept_for_training(size_t count, std::string_view unit, const std::filesystem::path& train,
                         const std::filesystem::path& valid, double fraction);

}  // namespace heed::tasks
