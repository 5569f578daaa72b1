#include "heed/cli/output.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "heed/base/error.h"
#include "heed/cli/terminal.h"

namespace heed::cli {
namespace {

constexpr size_t kBufferSize = 1 << 16;

}  // namespace

Output::Output(int descriptor) : descriptor_(descriptor), line_buffered_(is_terminal(descriptor)) {}

void Output::write(std::string_view text) {
  buffer_.append(text);
  if (buffer_.size() >= kBufferSize || (line_buffered_ && text.find('\n') != std::string_view::npos)) flush();
}

void Output::line(std::string_view text) {
  buffer_.append(text);
  write("\n");
}

void Output::flush() {
  const std::string content = std::exchange(buffer_, {});  // what failed once is not tried again
  std::string_view rest = content;
  while (!rest.empty()) {
    const ssize_t n = ::write(descriptor_, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EPIPE) throw OutputClosed();
    check<IoError>(n >= 0, "standard output: cannot write: {}", errno_text(errno));
    rest.remove_prefix(static_cast<size_t>(n));
  }
}

}  // namespace heed::cli
