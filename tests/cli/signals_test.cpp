#include "heed/cli/signals.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace heed::cli {
namespace {

// Runs `body` in a child process and returns how it ended: the exit code, or 128 + signal.
template <class Body>
int ended(const Body& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(Signals, TheFirstSetsTheFlag) {
  for (const int signal : {SIGINT, SIGTERM}) {
    install_stop_signals();
    EXPECT_FALSE(stop_requested());
    EXPECT_EQ(stop_signal(), 0);
    ::raise(signal);
    EXPECT_TRUE(stop_requested());
    EXPECT_TRUE(stop_flag().load());
    EXPECT_EQ(stop_signal(), signal);
    reset_stop_signals();
    EXPECT_FALSE(stop_requested());
  }
}

TEST(Signals, TheSecondEndsAtOnce) {
  EXPECT_EQ(ended([] {
              install_stop_signals();
              ::raise(SIGINT);
              ::raise(SIGINT);
            }),
            130);
  EXPECT_EQ(ended([] {
              install_stop_signals();
              ::raise(SIGINT);
              ::raise(SIGTERM);
            }),
            143);
}

TEST(Signals, WithoutInstallationTheyEndTheProcess) {
  EXPECT_EQ(ended([] { ::raise(SIGTERM); }), 143);
  EXPECT_EQ(ended([] {
              install_stop_signals();
              reset_stop_signals();
              ::raise(SIGINT);
            }),
            130);
}

TEST(Signals, ABrokenPipeIsAnErrorOfTheWrite) {
  EXPECT_EQ(ended([] {
              ignore_broken_pipes();
              int ends[2];
              if (::pipe(ends) != 0) ::_exit(1);
              ::close(ends[0]);
              if (::write(ends[1], "x", 1) != -1) ::_exit(2);
            }),
            0);
}

}  // namespace
}  // namespace heed::cli
