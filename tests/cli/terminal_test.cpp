#include "heed/cli/terminal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

namespace heed::cli {
namespace {

Environment only(const std::string& name, const char* value) {
  return [name, value](const std::string& asked) { return asked == name ? value : nullptr; };
}

// The two ends of a pseudo-terminal.
struct Terminal {
  int master = -1, slave = -1;
  explicit Terminal(int columns) {
    const winsize size{.ws_row = 24, .ws_col = static_cast<unsigned short>(columns), .ws_xpixel = 0, .ws_ypixel = 0};
    EXPECT_EQ(::openpty(&master, &slave, nullptr, nullptr, &size), 0);
  }
  ~Terminal() {
    ::close(master);
    ::close(slave);
  }
};

TEST(Terminal, IsToldFromAFile) {
  const Terminal terminal(70);
  const int file = ::open("/dev/null", O_RDWR);
  EXPECT_TRUE(is_terminal(terminal.slave));
  EXPECT_FALSE(is_terminal(file));
  EXPECT_TRUE(is_live_terminal(terminal.slave, only("TERM", "xterm")));
  EXPECT_FALSE(is_live_terminal(terminal.slave, only("TERM", "dumb")));
  EXPECT_FALSE(is_live_terminal(terminal.slave, only("TERM", nullptr)));
  EXPECT_FALSE(is_live_terminal(file, only("TERM", "xterm")));
  ::close(file);
}

TEST(Terminal, WidthComesFromColumnsThenTheTerminalThenEighty) {
  const Terminal terminal(70);
  const int file = ::open("/dev/null", O_RDWR);
  EXPECT_EQ(terminal_width(terminal.slave, only("COLUMNS", "33")), 33);
  EXPECT_EQ(terminal_width(terminal.slave, only("COLUMNS", nullptr)), 70);
  EXPECT_EQ(terminal_width(terminal.slave, only("COLUMNS", "wide")), 70);
  EXPECT_EQ(terminal_width(terminal.slave, only("COLUMNS", "0")), 70);
  EXPECT_EQ(terminal_width(terminal.slave, only("COLUMNS", "12x")), 70);
  EXPECT_EQ(terminal_width(file, only("COLUMNS", nullptr)), 80);
  ::close(file);
}

TEST(Terminal, ColoursNeedATerminalAndNoObjection) {
  const Terminal terminal(70);
  const auto both = [](const char* no_color) {
    return [no_color](const std::string& name) {
      return name == "TERM" ? "xterm" : name == "NO_COLOR" ? no_color : nullptr;
    };
  };
  EXPECT_TRUE(wants_colour(terminal.slave, both(nullptr), false));
  EXPECT_TRUE(wants_colour(terminal.slave, both(""), false)) << "no-color.org: an empty NO_COLOR is none";
  EXPECT_FALSE(wants_colour(terminal.slave, both("1"), false));
  EXPECT_FALSE(wants_colour(terminal.slave, both(nullptr), true));
  EXPECT_FALSE(wants_colour(terminal.slave, only("TERM", "dumb"), false));
  EXPECT_EQ(paint("x", Style::kBold, true), "\x1b[1mx\x1b[0m");
  EXPECT_EQ(paint("x", Style::kBold, false), "x");
}

TEST(Terminal, TextWidthCountsColumns) {
  EXPECT_EQ(text_width(""), 0);
  EXPECT_EQ(text_width("heed"), 4);
  EXPECT_EQ(text_width("我 是 学生"), 10);
  EXPECT_EQ(text_width("e\xCC\x81"), 1);  // e and a combining acute
  EXPECT_EQ(text_width("\x1b\n"), 0);
  EXPECT_EQ(text_width("é…"), 2);
}

TEST(Terminal, CutsToColumns) {
  EXPECT_EQ(cut_to_width("abcdef", 6), "abcdef");
  EXPECT_EQ(cut_to_width("abcdef", 5), "abcd…");
  EXPECT_EQ(cut_to_width("我是学生", 8), "我是学生");
  EXPECT_EQ(cut_to_width("我是学生", 7), "我是学…");
  EXPECT_EQ(cut_to_width("我是学生", 6), "我是…") << "a wide character is not cut in half";
  EXPECT_EQ(cut_to_width("abc", 1), "…");
  EXPECT_EQ(cut_to_width("abc", 0), "");
}

TEST(Terminal, PrintableTextCannotDraw) {
  EXPECT_EQ(printable("plain é 学生"), "plain é 学生");
  EXPECT_EQ(printable("a\nb\x1b[2Jc\x7f"), "a\\x0ab\\x1b[2Jc\\x7f");
  EXPECT_EQ(printable("\xC2\x9B"), "\\x9b");  // the one-byte escape sequence introducer
  EXPECT_EQ(printable("\xFF"), "\xEF\xBF\xBD");
}

}  // namespace
}  // namespace heed::cli
