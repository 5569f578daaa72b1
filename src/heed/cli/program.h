// The program around its subcommands: finding the one that is meant, help and version, and turning exceptions into a
// line on standard error and an exit code. One run per process (log and signal flag are the process's).
#pragma once

#include <string>
#include <vector>

#include "heed/cli/command.h"

namespace heed::cli {

// One subcommand: its words ("train translation"), one line for the overview, and the function.
struct Entry {
  std::string name;
  std::string summary;
  int (*run)(Command& command);
};

// Runs what `arguments` (without the program's name) ask for and returns the exit code. Never throws.
int run_program(const std::vector<Entry>& table, const Strings& arguments, const Surroundings& surroundings);

}  // namespace heed::cli
