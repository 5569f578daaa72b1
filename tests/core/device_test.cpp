#include "heed/core/device.h"

#include <gtest/gtest.h>

#include "heed/base/error.h"

namespace heed {
namespace {

TEST(Device, NamesAndBack) {
  EXPECT_EQ(name_of({}), "cpu");
  EXPECT_EQ(name_of({DeviceType::kCuda, 3}), "cuda:3");
  EXPECT_EQ(device_from_name("cpu"), Device{});
  EXPECT_EQ(device_from_name("cuda"), (Device{DeviceType::kCuda, 0}));
  EXPECT_EQ(device_from_name("cuda:12"), (Device{DeviceType::kCuda, 12}));
  for (const char* wrong : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:128", "cuda:1x", "cudaa", "CPU"})
    EXPECT_THROW(device_from_name(wrong), UsageError) << wrong;
}

}  // namespace
}  // namespace heed
