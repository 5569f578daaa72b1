// Every type that the inside throws becomes its public type, with the message it had.
#include "heed/api/guard.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <new>
#include <typeinfo>

#include "heed/base/error.h"
#include "heed/error.h"

namespace heed::api {
namespace {

template <class Public, class Internal>
void expect_mapped() {
  try {
    guarded([]() -> int { throw Internal("where: expected, got"); });
    FAIL() << "nothing was thrown";
  } catch (const Exception& e) {
    EXPECT_EQ(typeid(e), typeid(Public));
    EXPECT_STREQ(e.what(), "where: expected, got");
  }
}

TEST(Guard, MapsEachType) {
  expect_mapped<InvalidOptions, UsageError>();
  expect_mapped<BadModel, ConfigError>();
  expect_mapped<BadModel, FormatError>();
  expect_mapped<BadData, DataError>();
  expect_mapped<IoFailure, IoError>();
  expect_mapped<OutOfMemory, MemoryError>();
  expect_mapped<Diverged, DivergedError>();
  expect_mapped<Exception, ShapeError>();
  expect_mapped<Exception, DTypeError>();
  expect_mapped<Exception, DeviceError>();
  expect_mapped<Exception, Error>();
  expect_mapped<Exception, std::logic_error>();
}

TEST(Guard, MapsWhatTheStandardLibraryThrows) {
  EXPECT_THROW(guarded([] { throw std::bad_alloc(); }), OutOfMemory);
  EXPECT_THROW(guarded([] { return std::filesystem::file_size("/nowhere/at/all"); }), IoFailure);
  EXPECT_THROW(guarded([] { throw 1; }), Exception);
}

TEST(Guard, LetsPublicTypesThrough) {
  EXPECT_THROW(guarded([] { throw BadData("x"); }), BadData);
}

TEST(Guard, ReturnsWhatTheFunctionReturns) {
  EXPECT_EQ(guarded([] { return 7; }), 7);
}

}  // namespace
}  // namespace heed::api
