// "Did you mean": the known name nearest to one that was mistyped.
//
// Nearness is the optimal string alignment distance (insert, delete, replace, swap of neighbours), with a name that
// begins with the word counted as near. Pure functions, thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace heed::cli {

// Edits that turn `a` into `b`; a swap of two neighbouring characters counts as one.
int edit_distance(std::string_view a, std::string_view b);

// The nearest of `known`, or an empty string if none is near enough (a third of the word, at least one edit).
std::string nearest_name(std::string_view word, const std::vector<std::string>& known);

// "; did you mean '--threads'?" or an empty string, to end an error message with. `prefix` is put before the name.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known, std::string_view prefix = "");

}  // namespace heed::cli
