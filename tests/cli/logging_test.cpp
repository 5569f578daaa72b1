#include "heed/cli/logging.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <regex>

#include "heed/base/files.h"
#include "heed/base/json.h"
#include "heed/base/log.h"
#include "shared_files.h"

namespace heed::cli {
namespace {

const auto kMoment = std::chrono::system_clock::from_time_t(1769860800);  // 2026-01-31 12:00:00 UTC

std::string logged(LogLevel level, LogFormat format, void (*write)()) {
  const heed::testing::TemporaryFolder folder;
  const std::string file = folder / "log";
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  {
    Console console(descriptor, [](const std::string&) { return nullptr; });
    start_logging(console, level, format);
    write();
    stop_logging();
  }
  log().error("after the end");
  ::close(descriptor);
  return read_file(file);
}

void write_all_levels() {
  log().trace("t");
  log().debug("d");
  log().info("i {}", 7);
  log().warn("w");
  log().error("e");
}

size_t lines(const std::string& text) { return static_cast<size_t>(std::count(text.begin(), text.end(), '\n')); }

TEST(Logging, TimesAreUtcWhateverTheZone) {
  ::setenv("TZ", "America/New_York", 1);
  ::tzset();
  EXPECT_EQ(format_utc(kMoment), "2026-01-31T12:00:00Z");
  ::unsetenv("TZ");
  ::tzset();
}

TEST(Logging, TextLines) {
  EXPECT_EQ(format_log_line(kMoment, LogLevel::kWarn, "careful", LogFormat::kText),
            "2026-01-31T12:00:00Z warn careful");
  EXPECT_EQ(format_log_line(kMoment, LogLevel::kInfo, "a\nb\x1b[0m", LogFormat::kText),
            "2026-01-31T12:00:00Z info a\\x0ab\\x1b[0m");
}

TEST(Logging, JsonLines) {
  const std::string line = format_log_line(kMoment, LogLevel::kError, "say \"no\"\n\xFF", LogFormat::kJson);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const Json parsed = parse_json(line, "log");
  EXPECT_EQ(parsed["time"], "2026-01-31T12:00:00Z");
  EXPECT_EQ(parsed["level"], "error");
  EXPECT_EQ(parsed["message"], "say \"no\"\n\xEF\xBF\xBD");
}

TEST(Logging, LevelsCut) {
  EXPECT_EQ(lines(logged(LogLevel::kTrace, LogFormat::kText, write_all_levels)), 5u);
  EXPECT_EQ(lines(logged(LogLevel::kInfo, LogFormat::kText, write_all_levels)), 3u);
  EXPECT_EQ(lines(logged(LogLevel::kError, LogFormat::kText, write_all_levels)), 1u);
  EXPECT_EQ(logged(LogLevel::kOff, LogFormat::kText, write_all_levels), "");
}

TEST(Logging, TheLibrarysMessagesArrive) {
  const std::string text = logged(LogLevel::kInfo, LogFormat::kText, [] { log().info("loaded {} tensors", 12); });
  EXPECT_TRUE(std::regex_match(text, std::regex("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ info loaded 12 tensors\n")))
      << text;
}

}  // namespace
}  // namespace heed::cli
