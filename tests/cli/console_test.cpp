#include "heed/cli/console.h"

#include <gtest/gtest.h>
#include <pty.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <thread>
#include <vector>

namespace heed::cli {
namespace {

Environment xterm() {
  return [](const std::string& name) { return name == "TERM" ? "xterm" : nullptr; };
}

// A pseudo-terminal of 20 columns whose master end is read.
struct Terminal {
  int master = -1, slave = -1;
  Terminal() {
    const winsize size{.ws_row = 24, .ws_col = 20, .ws_xpixel = 0, .ws_ypixel = 0};
    EXPECT_EQ(::openpty(&master, &slave, nullptr, nullptr, &size), 0);
    termios settings{};
    ::tcgetattr(slave, &settings);
    ::cfmakeraw(&settings);
    ::tcsetattr(slave, TCSANOW, &settings);
  }
  ~Terminal() {
    ::close(master);
    ::close(slave);
  }
  std::string written() {
    std::string text;
    EXPECT_EQ(::write(slave, "\x04", 1), 1);  // an end mark, so that the read below always returns
    while (text.empty() || text.back() != '\x04') {
      std::array<char, 4096> buffer;
      const ssize_t n = ::read(master, buffer.data(), buffer.size());
      if (n <= 0) break;
      text.append(buffer.data(), static_cast<size_t>(n));
    }
    text.pop_back();
    return text;
  }
};

TEST(Console, ALiveLineIsDrawnOverAndCut) {
  Terminal terminal;
  {
    Console console(terminal.slave, xterm());
    EXPECT_TRUE(console.is_live());
    EXPECT_TRUE(console.has_colour());
    console.live("step 1");
    console.live("step 1");  // nothing new, nothing written
    console.live("step 2 and much more than fits");
    EXPECT_EQ(terminal.written(), "\r\x1b[Kstep 1\r\x1b[Kstep 2 and much mo…");
  }
  EXPECT_EQ(terminal.written(), "\r\x1b[K") << "the live line is erased at the end";
}

TEST(Console, MessagesStandAboveTheLiveLine) {
  Terminal terminal;
  Console console(terminal.slave, xterm());
  console.live("step 1");
  console.line("a message");
  console.live("");
  EXPECT_EQ(terminal.written(), "\r\x1b[Kstep 1\r\x1b[Ka message\nstep 1\r\x1b[K");
  console.line("another");
  EXPECT_EQ(terminal.written(), "another\n");
}

TEST(Console, APipeGetsLinesAlone) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  {
    Console console(ends[1], xterm());
    EXPECT_FALSE(console.is_live());
    EXPECT_FALSE(console.has_colour());
    EXPECT_EQ(console.width(), 80);
    console.live("unseen");
    console.line("seen");
  }
  ::close(ends[1]);
  std::array<char, 100> buffer;
  const ssize_t n = ::read(ends[0], buffer.data(), buffer.size());
  EXPECT_EQ(std::string(buffer.data(), static_cast<size_t>(n)), "seen\n");
  ::close(ends[0]);
}

TEST(Console, AClosedPipeIsIgnored) {
  ::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  Console console(ends[1], xterm());
  EXPECT_NO_THROW(console.line("to nobody"));
  ::close(ends[1]);
}

TEST(Console, LinesOfSeveralThreadsStayWhole) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  Console console(ends[1], xterm());
  constexpr int kThreads = 4, kLines = 50;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&console, t] {
      for (int i = 0; i < kLines; ++i) console.line(std::string(20, static_cast<char>('a' + t)));
    });
  for (std::thread& thread : threads) thread.join();
  ::close(ends[1]);
  std::string text;
  std::array<char, 4096> buffer;
  for (ssize_t n = 0; (n = ::read(ends[0], buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<size_t>(n));
  ::close(ends[0]);
  ASSERT_EQ(text.size(), size_t{kThreads * kLines * 21});
  for (size_t line = 0; line < text.size(); line += 21) {
    EXPECT_EQ(text.substr(line, 20), std::string(20, text[line]));
    EXPECT_EQ(text[line + 20], '\n');
  }
}

}  // namespace
}  // namespace heed::cli
