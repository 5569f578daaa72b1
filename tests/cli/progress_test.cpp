#include "heed/cli/progress.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <limits>

#include "heed/base/files.h"
#include "shared_files.h"

namespace heed::cli {
namespace {

using std::chrono::milliseconds;

// A console on a file and a clock that is set by hand.
struct Scene {
  heed::testing::TemporaryFolder folder;
  std::string file = folder / "log";
  int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  Console console{descriptor, [](const std::string&) { return nullptr; }};
  std::chrono::steady_clock::time_point now{};
  int made = 0;

  ~Scene() { ::close(descriptor); }
  Clock clock() {
    return [this] { return now; };
  }
  std::function<std::string()> fields() {
    return [this] { return "update " + std::to_string(++made); };
  }
};

TEST(Progress, WritesOneLinePerInterval) {
  Scene scene;
  Progress progress(scene.console, false, milliseconds(1000), scene.clock());
  for (int i = 0; i < 25; ++i) {
    progress.update(scene.fields());
    scene.now += milliseconds(100);
  }
  EXPECT_EQ(read_file(scene.file), "update 1\nupdate 2\nupdate 3\n");
  EXPECT_EQ(scene.made, 3) << "fields are made only when they are shown";
  progress.line("valid BLEU 30");
  progress.finish("done");
  EXPECT_EQ(read_file(scene.file), "update 1\nupdate 2\nupdate 3\nvalid BLEU 30\ndone\n");
}

TEST(Progress, IsSilentWhenQuiet) {
  Scene scene;
  Progress progress(scene.console, true, milliseconds(0), scene.clock());
  progress.update(scene.fields());
  progress.line("x");
  progress.finish("y");
  EXPECT_EQ(read_file(scene.file), "");
  EXPECT_EQ(scene.made, 0);
}

TEST(Progress, Durations) {
  EXPECT_EQ(format_duration(0), "0.0s");
  EXPECT_EQ(format_duration(0.42), "0.4s");
  EXPECT_EQ(format_duration(9.96), "10s");
  EXPECT_EQ(format_duration(59.4), "59s");
  EXPECT_EQ(format_duration(59.6), "1m00s");
  EXPECT_EQ(format_duration(185), "3m05s");
  EXPECT_EQ(format_duration(3599.6), "1h00m");
  EXPECT_EQ(format_duration(3720), "1h02m");
  EXPECT_EQ(format_duration(2 * 86400 + 3 * 3600 + 59), "2d03h");
  EXPECT_EQ(format_duration(std::numeric_limits<double>::infinity()), "?");
  EXPECT_EQ(format_duration(std::numeric_limits<double>::quiet_NaN()), "?");
  EXPECT_EQ(format_duration(-1), "?");
}

TEST(Progress, CountsAndRates) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(950), "950");
  EXPECT_EQ(format_count(2.5), "2.5");
  EXPECT_EQ(format_count(999.6), "1.00k");
  EXPECT_EQ(format_count(12345), "12.3k");
  EXPECT_EQ(format_count(4560000), "4.56M");
  EXPECT_EQ(format_count(999600), "1.00M");
  EXPECT_EQ(format_count(1.2e9), "1.20G");
  EXPECT_EQ(format_count(5e15), "5000T");
  EXPECT_EQ(format_count(-12345), "-12.3k");
  EXPECT_EQ(format_count(std::numeric_limits<double>::infinity()), "?");
  EXPECT_EQ(format_rate(12345, "tok"), "12.3k tok/s");
}

TEST(Progress, Bytes) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1536), "1.5 KiB");
  EXPECT_EQ(format_bytes((1 << 20) - 1), "1.0 MiB");
  EXPECT_EQ(format_bytes(uint64_t{3435973837}), "3.2 GiB");
}

TEST(Progress, TimeLeft) {
  EXPECT_EQ(seconds_left(25, 100, 10), 30);
  EXPECT_EQ(seconds_left(100, 100, 10), 0);
  EXPECT_EQ(seconds_left(120, 100, 10), 0);
  EXPECT_EQ(seconds_left(0, 100, 10), std::numeric_limits<double>::infinity());
}

}  // namespace
}  // namespace heed::cli
