#include "heed/cli/console.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "heed/cli/terminal.h"

namespace heed::cli {
namespace {

constexpr std::string_view kEraseLine = "\r\x1b[K";

}  // namespace

Console::Console(int descriptor, Environment environment)
    : descriptor_(descriptor),
      environment_(std::move(environment)),
      live_terminal_(is_live_terminal(descriptor, environment_)),
      colour_(wants_colour(descriptor, environment_, false)) {}

Console::~Console() { live(""); }

int Console::width() const { return terminal_width(descriptor_, environment_); }

void Console::write_all(std::string_view text) const {
  while (!text.empty()) {
    const ssize_t n = ::write(descriptor_, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return;
    text.remove_prefix(static_cast<size_t>(n));
  }
}

void Console::line(std::string_view text) {
  const std::lock_guard lock(mutex_);
  std::string out;
  if (!live_.empty()) out += kEraseLine;
  out.append(text) += '\n';
  out += live_;
  write_all(out);
}

void Console::live(std::string_view text) {
  if (!live_terminal_) return;
  const std::lock_guard lock(mutex_);
  // One column stays free: some terminals wrap as soon as the last one is filled.
  std::string cut = cut_to_width(text, width() - 1);
  if (cut == live_) return;
  live_ = std::move(cut);
  write_all(std::string(kEraseLine) + live_);
}

}  // namespace heed::cli
