#include "heed/cli/option_value.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace heed::cli {
namespace {

template <class T>
T value_of(const std::string& text) {
  T value{};
  read_value(text, value);
  return value;
}

template <class T>
std::string error_of(const std::string& text) {
  try {
    value_of<T>(text);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no error";
}

TEST(OptionValue, ReadsNumbers) {
  EXPECT_EQ(value_of<int>("-12"), -12);
  EXPECT_EQ(value_of<int64_t>("9223372036854775807"), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(value_of<uint64_t>("18446744073709551615"), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(value_of<double>("1e-3"), 1e-3);
  EXPECT_EQ(value_of<float>("0.1"), 0.1f);
}

TEST(OptionValue, RefusesWhatIsNoNumber) {
  EXPECT_EQ(error_of<int>("abc"), "expected a whole number, got 'abc'");
  EXPECT_EQ(error_of<int>("1.5"), "expected a whole number, got '1.5'");
  EXPECT_EQ(error_of<int>(""), "expected a whole number, got ''");
  EXPECT_EQ(error_of<int>(" 1"), "expected a whole number, got ' 1'");
  EXPECT_EQ(error_of<int>("2147483648"), "expected a whole number, got '2147483648', which is too large");
  EXPECT_EQ(error_of<uint64_t>("-1"), "expected a whole number of at least 0, got '-1'");
  EXPECT_EQ(error_of<double>("1e"), "expected a number, got '1e'");
  EXPECT_EQ(error_of<double>("nan"), "expected a finite number, got 'nan'");
  EXPECT_EQ(error_of<float>("inf"), "expected a finite number, got 'inf'");
  EXPECT_EQ(error_of<double>("1e999"), "expected a number, got '1e999', which is too large");
}

TEST(OptionValue, ReadsTruthValues) {
  for (const char* const yes : {"true", "yes", "on", "1"}) EXPECT_TRUE(value_of<bool>(yes)) << yes;
  for (const char* const no : {"false", "no", "off", "0"}) EXPECT_FALSE(value_of<bool>(no)) << no;
  EXPECT_EQ(error_of<bool>("maybe"), "expected true or false, got 'maybe'");
}

TEST(OptionValue, WhatIsWrittenReadsBackBitForBit) {
  for (const double value : {0.1, 1.0 / 3, 3e-5, 1e300, -0.0, 5e-324, 123456789.123456789}) {
    const double again = value_of<double>(write_value(value));
    EXPECT_EQ(std::memcmp(&again, &value, sizeof value), 0) << write_value(value);
  }
  for (const float value : {0.1f, 1.0f / 3, 3e-5f, 16777217.0f}) EXPECT_EQ(value_of<float>(write_value(value)), value);
  EXPECT_EQ(value_of<uint64_t>(write_value(uint64_t{1} << 63)), uint64_t{1} << 63);
  EXPECT_TRUE(value_of<bool>(write_value(true)));
  EXPECT_EQ(value_of<std::filesystem::path>(write_value(std::filesystem::path("a b/ü"))), "a b/ü");
}

TEST(OptionValue, BindsPlainVariables) {
  int steps = 5;
  const Binding binding = bind_value(steps);
  EXPECT_EQ(binding.kind, ValueKind::kNumber);
  EXPECT_FALSE(binding.is_list);
  EXPECT_EQ(binding.placeholder, "N");
  EXPECT_EQ(binding.write(), Strings{"5"});
  binding.set({"7"});
  EXPECT_EQ(steps, 7);
}

TEST(OptionValue, AnOptionalWithoutValueIsNotWritten) {
  std::optional<double> rate;
  const Binding binding = bind_value(rate);
  EXPECT_TRUE(binding.write().empty());
  binding.set({"0.25"});
  EXPECT_EQ(rate, 0.25);
  EXPECT_EQ(binding.write(), Strings{"0.25"});
}

TEST(OptionValue, AListIsReplacedAsAWhole) {
  std::vector<int> sizes = {1, 2, 3};
  const Binding binding = bind_value(sizes);
  EXPECT_TRUE(binding.is_list);
  binding.set({"4", "5"});
  EXPECT_EQ(sizes, (std::vector<int>{4, 5}));
  EXPECT_THROW(binding.set({"6", "x"}), UsageError);
  EXPECT_EQ(sizes, (std::vector<int>{4, 5})) << "a list with an error in it changes nothing";
}

TEST(OptionValue, SizesHaveUnits) {
  EXPECT_EQ(parse_size("x", "17"), 17u);
  EXPECT_EQ(parse_size("x", "17B"), 17u);
  EXPECT_EQ(parse_size("x", "1.5KB"), 1500u);
  EXPECT_EQ(parse_size("x", "2GiB"), uint64_t{2} << 30);
  EXPECT_EQ(parse_size("x", "500MB"), 500'000'000u);
  for (const char* wrong : {"", "GB", "-1GB", "0", "1 GB", "1TB", "nan", "1e30"})
    EXPECT_THROW(parse_size("x", wrong), UsageError) << wrong;
}

TEST(OptionValue, AChoiceHasNames) {
  enum class Fruit { kApple, kPear } fruit = Fruit::kPear;
  const Binding binding = bind_choice<Fruit>(fruit, {{"apple", Fruit::kApple}, {"pear", Fruit::kPear}});
  EXPECT_EQ(binding.write(), Strings{"pear"});
  binding.set({"apple"});
  EXPECT_EQ(fruit, Fruit::kApple);
}

}  // namespace
}  // namespace heed::cli
