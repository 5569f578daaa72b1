#include "heed/cli/signals.h"

#include <signal.h>
#include <unistd.h>

namespace heed::cli {
namespace {

std::atomic<bool> stop{false};
std::atomic<int> first_signal{0};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free,
              "a signal handler may use lock-free atomics alone");

extern "C" void on_stop_signal(int signal) {
  int none = 0;
  if (!first_signal.compare_exchange_strong(none, signal)) ::_exit(128 + signal);
  stop.store(true);
}

void set_handler(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  // Interrupted reads and writes go on: it is the flag that ends a run, between two steps.
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

void install_stop_signals() {
  set_handler(SIGINT, &on_stop_signal);
  set_handler(SIGTERM, &on_stop_signal);
}

void reset_stop_signals() {
  set_handler(SIGINT, SIG_DFL);
  set_handler(SIGTERM, SIG_DFL);
  stop.store(false);
  first_signal.store(0);
}

const std::atomic<bool>& stop_flag() { return stop; }

int stop_signal() { return first_signal.load(); }

void ignore_broken_pipes() { set_handler(SIGPIPE, SIG_IGN); }

}  // namespace heed::cli
