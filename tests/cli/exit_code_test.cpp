#include "heed/cli/exit_code.h"

#include <gtest/gtest.h>

#include <new>
#include <stdexcept>

#include "heed/base/error.h"

namespace heed::cli {
namespace {

template <class E>
Failure failure(const E& error) {
  return describe_failure(std::make_exception_ptr(error));
}

// The codes are documented and scripts rely on them, so they stand here as numbers.
TEST(ExitCode, OnePerKindOfError) {
  EXPECT_EQ(failure(UsageError("x")).code, 2);
  EXPECT_EQ(failure(ConfigError("x")).code, 3);
  EXPECT_EQ(failure(FormatError("x")).code, 3);
  EXPECT_EQ(failure(DataError("x")).code, 4);
  EXPECT_EQ(failure(MemoryError("x")).code, 5);
  EXPECT_EQ(failure(std::bad_alloc()).code, 5);
  EXPECT_EQ(failure(DivergedError("x")).code, 6);
  EXPECT_EQ(failure(Error("x")).code, 1);
  EXPECT_EQ(failure(IoError("x")).code, 1);
  EXPECT_EQ(failure(ShapeError("x")).code, 1);
  EXPECT_EQ(failure(DTypeError("x")).code, 1);
  EXPECT_EQ(failure(DeviceError("x")).code, 1);
  EXPECT_EQ(failure(std::runtime_error("x")).code, 1);
  EXPECT_EQ(failure(42).code, 1);
}

TEST(ExitCode, TheMessageIsTheExceptions) {
  EXPECT_EQ(failure(DataError("a.txt:3: too long")).message, "a.txt:3: too long");
  EXPECT_EQ(failure(std::bad_alloc()).message, "out of memory");
  EXPECT_EQ(failure(42).message, "unknown error");
}

}  // namespace
}  // namespace heed::cli
