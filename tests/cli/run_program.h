// Runs the built program `heed` as a process of its own: what a user or a script sees of it.
//
// The child gets the given environment alone (and LD_LIBRARY_PATH, PATH, HOME, TMPDIR of the test), so that nothing set
// outside changes a result. Not thread-safe.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace heed::testing {

struct ProgramInput {
  std::string text = {};                                // standard input, closed after it
  std::map<std::string, std::string> environment = {};  // e.g. {"HEED_SEED", "7"}
  bool on_terminal = false;     // standard input, output and error are one pseudo-terminal of 80 columns
  int close_output_after = -1;  // bytes after which standard output is closed by the reader; -1: never
  int signal = 0;               // sent to the program once `signal_after` stands in its standard error
  std::string signal_after = {};
};

struct ProgramResult {
  int exit_code = -1;  // 128 + signal if a signal ended it
  std::string output;  // on a terminal: everything
  std::string error;
};

// Runs the program and waits for its end. Fails the test and kills it after a minute.
ProgramResult run_heed(const std::vector<std::string>& arguments, const ProgramInput& input = {});

// Runs any program likewise.
ProgramResult run_process(const std::string& program, const std::vector<std::string>& arguments,
                          const ProgramInput& input = {});

}  // namespace heed::testing
