#include "heed/cli/output.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "shared_files.h"

namespace heed::cli {
namespace {

TEST(Output, IsBufferedUntilFlushed) {
  const heed::testing::TemporaryFolder folder;
  const std::string file = folder / "out";
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT, 0600);
  Output output(descriptor);
  output.write("a");
  output.line("b");
  EXPECT_EQ(read_file(file), "");
  output.flush();
  EXPECT_EQ(read_file(file), "ab\n");
  output.set_line_buffered(true);
  output.line("c");
  output.write("d");
  EXPECT_EQ(read_file(file), "ab\nc\n");
  output.set_line_buffered(false);
  output.write(std::string(100000, 'x'));
  EXPECT_EQ(read_file(file).size(), 5u + 1 + 100000) << "a full buffer is written";
  ::close(descriptor);
}

TEST(Output, AReaderThatHasGoneIsNoError) {
  ::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  Output output(ends[1]);
  output.line("x");
  EXPECT_THROW(output.flush(), OutputClosed);
  EXPECT_NO_THROW(output.flush()) << "what failed is not tried again";
  ::close(ends[1]);
}

TEST(Output, AFullDiskIs) {
  const int full = ::open("/dev/full", O_WRONLY);
  ASSERT_GE(full, 0);
  Output output(full);
  output.line("x");
  try {
    output.flush();
    FAIL() << "no error";
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("No space left on device"));
  }
  ::close(full);
}

}  // namespace
}  // namespace heed::cli
