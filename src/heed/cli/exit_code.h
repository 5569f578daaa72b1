// The program's exit codes, and which one an exception means. They are part of the interface: scripts rely on them.
// Pure functions.
#pragma once

#include <exception>
#include <string>

namespace heed::cli {

enum ExitCode : int {
  kOk = 0,
  kRuntimeError = 1,
  kUsage = 2,
  kBadModel = 3,  // a model, tokenizer or checkpoint file, or an options file
  kBadData = 4,
  kOutOfMemory = 5,
  kDiverged = 6,
  kInterrupted = 130,  // after SIGINT
  kTerminated = 143,   // after SIGTERM
};

// What to tell the user and how to leave.
struct Failure {
  int code = kRuntimeError;
  std::string message;  // one line
};

Failure describe_failure(const std::exception_ptr& error);

}  // namespace heed::cli
