#include "io/syscall_faults.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace heed::testing {
namespace {

FaultyRun unsupported() {
  FaultyRun run;
  run.supported = false;
  return run;
}

}  // namespace
}  // namespace heed::testing

#if defined(__x86_64__) && defined(__linux__)
#include <sys/user.h>

namespace heed::testing {
namespace {

// Whether a descriptor of the child is a file: no stream, and no pipe, such as sanitizers probe memory with.
bool is_file(pid_t child, unsigned long long descriptor) {
  struct stat info {};
  const std::string link = "/proc/" + std::to_string(child) + "/fd/" + std::to_string(descriptor);
  return stat(link.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

// The call's name if it changes files (a read-only open does not, nor does writing to a stream).
const char* name_of_change(pid_t child, const user_regs_struct& regs) {
  switch (regs.orig_rax) {
    case SYS_openat: return (regs.rdx & O_CREAT) != 0 ? "open" : nullptr;
    case SYS_open: return (regs.rsi & O_CREAT) != 0 ? "open" : nullptr;
    case SYS_write: return regs.rdi > 2 && is_file(child, regs.rdi) ? "write" : nullptr;
    case SYS_mkdir:
    case SYS_mkdirat: return "mkdir";
    case SYS_fsync: return "fsync";
    case SYS_rename:
    case SYS_renameat:
    case SYS_renameat2: return "rename";
    case SYS_unlink:
    case SYS_unlinkat:
    case SYS_rmdir: return "unlink";
    default: return nullptr;
  }
}

int error_for(const std::string& call) { return call == "open" || call == "write" || call == "mkdir" ? ENOSPC : EIO; }

[[noreturn]] void run_child(const std::function<int()>& body) {
  if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(77);
  raise(SIGSTOP);
  _exit(body());
}

// Lets the child run to its next stop at a system call's begin or end; false if it has ended.
bool next_stop(pid_t child, int& status) {
  int signal = 0;
  for (;;) {
    ptrace(PTRACE_SYSCALL, child, nullptr, signal);
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return false;
    if (WSTOPSIG(status) == (SIGTRAP | 0x80)) return true;
    signal = WSTOPSIG(status);
  }
}

// Carries out the fault at the call that the child is about to make.
void inject(pid_t child, user_regs_struct regs, Fault fault, const std::string& call, int& status) {
  if (fault == Fault::kCrash) {
    kill(child, SIGKILL);
    return;
  }
  regs.orig_rax = static_cast<unsigned long long>(-1);  // no such call
  ptrace(PTRACE_SETREGS, child, nullptr, &regs);
  if (!next_stop(child, status)) return;
  regs.rax = static_cast<unsigned long long>(-error_for(call));
  ptrace(PTRACE_SETREGS, child, nullptr, &regs);
}

}  // namespace

FaultyRun run_with_fault(Fault fault, int n, const std::function<int()>& body) {
  FaultyRun run;
  const pid_t child = fork();
  if (child == 0) run_child(body);
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFSTOPPED(status)) return unsupported();
  ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  bool entering = false;
  for (int count = 0; next_stop(child, status);) {
    entering = !entering;
    if (!entering) continue;
    user_regs_struct regs{};
    ptrace(PTRACE_GETREGS, child, nullptr, &regs);
    const char* call = name_of_change(child, regs);
    if (!call || ++count != n || fault == Fault::kNone) continue;
    run.reached = true;
    run.call = call;
    inject(child, regs, fault, call, status);
    entering = false;
  }
  run.finished = WIFEXITED(status);
  run.exit_code = run.finished ? WEXITSTATUS(status) : -1;
  return run;
}

}  // namespace heed::testing
#else
namespace heed::testing {
FaultyRun run_with_fault(Fault, int, const std::function<int()>&) { return unsupported(); }
}  // namespace heed::testing
#endif
