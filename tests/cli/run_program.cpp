#include "cli/run_program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

namespace heed::testing {
namespace {

constexpr std::chrono::seconds kPatience{60};

struct Pipe {
  int read_end = -1, write_end = -1;
};

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
  return {ends[0], ends[1]};
}

void close_end(int& descriptor) {
  if (descriptor >= 0) ::close(descriptor);
  descriptor = -1;
}

[[noreturn]] void become(const std::string& program, const std::vector<std::string>& arguments,
                         const std::map<std::string, std::string>& environment) {
  std::vector<std::string> variables;
  for (const auto& [name, value] : environment) variables.push_back(name + "=" + value);
  for (const char* const kept : {"LD_LIBRARY_PATH", "PATH", "HOME", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS",
                                 "TSAN_OPTIONS", "HEED_SIMD", "DNNL_MAX_CPU_ISA"})
    if (const char* const value = std::getenv(kept); value && !environment.contains(kept))
      variables.push_back(std::string(kept) + "=" + value);
  std::vector<char*> argv = {const_cast<char*>(program.c_str())}, envp;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  for (const std::string& variable : variables) envp.push_back(const_cast<char*>(variable.c_str()));
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  ::execve(program.c_str(), argv.data(), envp.data());
  ::_exit(127);
}

// A running program and our ends of its streams.
class Process {
 public:
  Process(const std::string& program, const std::vector<std::string>& arguments, const ProgramInput& input)
      : input_(input) {
    if (input.on_terminal) start_on_terminal(program, arguments);
    else start_on_pipes(program, arguments);
    if (input.text.empty()) close_input();
  }

  ProgramResult wait() {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (output_ >= 0 || error_ >= 0) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      if (left.count() <= 0) {
        ::kill(child_, SIGKILL);
        ADD_FAILURE() << "the program did not end within a minute";
        break;
      }
      exchange(static_cast<int>(left.count()));
    }
    close_end(input_end_);
    close_end(output_);
    close_end(error_);
    int status = 0;
    while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {}
    result_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return std::move(result_);
  }

 private:
  void start_on_terminal(const std::string& program, const std::vector<std::string>& arguments) {
    const winsize size{.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
    child_ = ::forkpty(&output_, nullptr, nullptr, &size);
    if (child_ == 0) become(program, arguments, input_.environment);
    input_end_ = ::dup(output_);
  }

  void start_on_pipes(const std::string& program, const std::vector<std::string>& arguments) {
    Pipe in = make_pipe(), out = make_pipe(), err = make_pipe();
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(in.read_end, STDIN_FILENO);
      ::dup2(out.write_end, STDOUT_FILENO);
      ::dup2(err.write_end, STDERR_FILENO);
      become(program, arguments, input_.environment);
    }
    close_end(in.read_end);
    close_end(out.write_end);
    close_end(err.write_end);
    input_end_ = in.write_end;
    output_ = out.read_end;
    error_ = err.read_end;
  }

  void close_input() {
    if (!input_.on_terminal) close_end(input_end_);
  }

  void exchange(int milliseconds) {
    std::array<pollfd, 3> polled = {pollfd{output_, POLLIN, 0}, pollfd{error_, POLLIN, 0},
                                    pollfd{written_ < input_.text.size() ? input_end_ : -1, POLLOUT, 0}};
    if (::poll(polled.data(), polled.size(), milliseconds) <= 0) return;
    if (polled[0].revents) take(output_, result_.output);
    if (polled[1].revents) take(error_, result_.error);
    if (polled[2].revents) give();
    if (input_.close_output_after >= 0 && result_.output.size() >= static_cast<size_t>(input_.close_output_after))
      close_end(output_);
    const std::string& said = input_.on_terminal ? result_.output : result_.error;
    if (input_.signal && !signalled_ && said.find(input_.signal_after) != std::string::npos) {
      ::kill(child_, input_.signal);
      signalled_ = true;
    }
  }

  static void take(int& descriptor, std::string& text) {
    std::array<char, 4096> buffer;
    const ssize_t n = ::read(descriptor, buffer.data(), buffer.size());
    if (n > 0) text.append(buffer.data(), static_cast<size_t>(n));
    else close_end(descriptor);  // a pseudo-terminal without a program ends with EIO
  }

  void give() {
    const ssize_t n = ::write(input_end_, input_.text.data() + written_, input_.text.size() - written_);
    written_ = n > 0 ? written_ + static_cast<size_t>(n) : input_.text.size();
    if (written_ == input_.text.size()) close_input();
  }

  const ProgramInput& input_;
  ProgramResult result_;
  pid_t child_ = -1;
  int input_end_ = -1, output_ = -1, error_ = -1;
  size_t written_ = 0;
  bool signalled_ = false;
};

}  // namespace

ProgramResult run_process(const std::string& program, const std::vector<std::string>& arguments,
                          const ProgramInput& input) {
  ::signal(SIGPIPE, SIG_IGN);  // a program may end without reading its input
  return Process(program, arguments, input).wait();
}

ProgramResult run_heed(const std::vector<std::string>& arguments, const ProgramInput& input) {
  return run_process(HEED_PROGRAM, arguments, input);
}

}  // namespace heed::testing
