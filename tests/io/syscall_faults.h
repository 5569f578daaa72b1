// Failing the file operations of real code one at a time, from outside (Linux on x86-64, by ptrace).
//
// A child process runs `body`; its system calls that change files are counted, and the n-th is acted upon: the process
// is killed before it, as by a crash, or the call is not carried out and returns an error.
#pragma once

#include <functional>
#include <string>

namespace heed::testing {

enum class Fault {
  kNone,
  kCrash,  // SIGKILL in the place of the n-th call
  kFail,   // ENOSPC where room is needed (open, write, mkdir), else EIO (fsync, close, rename, unlink)
};

struct FaultyRun {
  bool supported = true;  // whether this system lets processes be traced
  bool reached = false;   // whether there was an n-th call
  std::string call;       // its name
  bool finished = false;  // the child came to its end; else it was killed
  int exit_code = 0;      // what `body` returned
};

// Runs `body` in a child process with `fault` at its n-th (from 1) call that changes files.
FaultyRun run_with_fault(Fault fault, int n, const std::function<int()>& body);

}  // namespace heed::testing
