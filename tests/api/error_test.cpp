// The exception types are those of libheed.so on both sides of its edge.
#include "heed/error.h"

#include <gtest/gtest.h>

#include <typeinfo>

#include "heed/translator.h"

namespace heed {
namespace {

TEST(Error, IsCaughtAcrossTheLibrarysEdge) {
  EXPECT_THROW(Translator("/nowhere"), BadModel);
  EXPECT_THROW(Translator("/nowhere"), Exception);
  EXPECT_THROW(Translator("/nowhere"), std::runtime_error);
}

TEST(Error, NamesWhatWasLookedFor) {
  try {
    const Translator translator("/nowhere");
    FAIL() << "nothing was thrown";
  } catch (const Exception& e) {
    EXPECT_EQ(typeid(e), typeid(BadModel));
    EXPECT_NE(std::string(e.what()).find("/nowhere"), std::string::npos) << e.what();
  }
}

template <class T>
void expect_kind() {
  try {
    throw T("message");
  } catch (const Exception& e) {
    EXPECT_EQ(typeid(e), typeid(T));
    EXPECT_STREQ(T(static_cast<const T&>(e)).what(), "message");
  }
}

TEST(Error, EachTypeIsAnException) {
  expect_kind<InvalidOptions>();
  expect_kind<BadModel>();
  expect_kind<BadData>();
  expect_kind<IoFailure>();
  expect_kind<OutOfMemory>();
  expect_kind<Diverged>();
}

}  // namespace
}  // namespace heed
