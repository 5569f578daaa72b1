// The header parser on malformed files, each of which must be refused for its own reason, and on odd but valid ones.
#include "heed/io/safetensors_header.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <vector>

#include "heed/base/error.h"
#include "heed/base/json.h"
#include "heed/io/safetensors.h"
#include "io/file_image.h"
#include "shared_files.h"

namespace heed::io {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Malformed {
  const char* name;
  std::string file;
  const char* reason;
};

std::string prefix_only(uint64_t length) { return std::string(reinterpret_cast<const char*>(&length), sizeof length); }

std::string tensor(const std::string& name, const std::string& dtype, const std::string& shape,
                   const std::string& offsets) {
  return "\"" + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

// A header of one tensor "t" of one f32 with the given members, over 4 bytes of data.
std::string members(const std::string& text) { return file_image(R"({"t":{)" + text + "}}", "abcd"); }
std::string shaped(const std::string& shape, const std::string& offsets = "[0,4]") {
  return file_image("{" + tensor("t", "F32", shape, offsets) + "}", "abcd");
}
std::string named(const std::string& name) {
  return file_image("{" + tensor(name, "F32", "[1]", "[0,4]") + "}", "abcd");
}
std::string two(const std::string& first, const std::string& second, size_t data_bytes) {
  return file_image("{" + tensor("a", "U8", "[4]", first) + "," + tensor("b", "U8", "[4]", second) + "}",
                    std::string(data_bytes, 'x'));
}

std::vector<Malformed> malformed_prefixes() {
  return {
      {"empty", "", "0 bytes are too few"},
      {"seven_bytes", std::string(7, '\0'), "7 bytes are too few"},
      {"length_2_64_minus_1", prefix_only(~uint64_t{0}) + "{}", "header of 18446744073709551615 bytes; at most"},
      {"length_plus_8_wraps", prefix_only(~uint64_t{7}) + "{}", "at most 100000000"},
      {"length_2_63", prefix_only(uint64_t{1} << 63) + "{}", "at most 100000000"},
      {"length_100000001", prefix_only(100'000'001) + "{}", "header of 100000001 bytes"},
      {"length_beyond_file", prefix_only(3) + "{}", "header should take 3 bytes, but 2 follow"},
      {"length_limit_beyond_file", prefix_only(100'000'000) + "{}", "100000000 bytes, but 2 follow"},
      {"only_a_length", prefix_only(2), "2 bytes, but 0 follow"},
      {"big_endian_length", std::string(7, '\0') + "\x02{}", "at most 100000000"},
      {"length_zero", prefix_only(0), "expected '{', but the header ends"},
      {"length_zero_with_data", prefix_only(0) + "{}", "expected '{', but the header ends"},
      {"zip_archive", "PK\x03\x04" + std::string(40, '\0') + "pytorch_model", "is cut short: its header"},
      {"gguf", "GGUF\x03" + std::string(40, '\x01'), "at most 100000000"},
  };
}

std::vector<Malformed> malformed_json() {
  const auto head = [](const std::string& text) { return file_image(text, "abcd"); };
  return {
      {"not_utf8", file_image("\xff"), "not valid UTF-8"},
      {"not_utf8_in_name", named("\xc3("), "not valid UTF-8"},
      {"overlong_utf8", named("\xc0\xaf"), "not valid UTF-8"},
      {"utf8_surrogate", named("\xed\xa0\x80"), "not valid UTF-8"},
      {"not_utf8_in_padding", file_image("{}\xfe"), "not valid UTF-8"},
      {"byte_order_mark", file_image("\xef\xbb\xbf{}"), "expected '{'"},
      {"only_spaces", file_image("    "), "expected '{', but the header ends"},
      {"array", file_image("[]"), "expected '{', found \"[\""},
      {"text", file_image("hello"), "expected '{', found \"h\""},
      {"null", file_image("null"), "expected '{'"},
      {"nul_byte", file_image(std::string("\0{}", 3)), "expected '{', found \"\\u0000\""},
      {"nul_padding", file_image(std::string("{}\0", 3)), "something follows the header's closing brace"},
      {"unclosed", file_image("{"), "expected a key in quotes, but the header ends"},
      {"closed_twice", file_image("{}}"), "something follows the header's closing brace"},
      {"two_objects", file_image("{}{}"), "something follows the header's closing brace"},
      {"trailing_comma", head("{" + tensor("t", "F32", "[1]", "[0,4]") + ",}"), "expected a key in quotes"},
      {"leading_comma", file_image("{,}"), "expected a key in quotes"},
      {"missing_comma", head("{" + tensor("t", "U8", "[4]", "[0,4]") + tensor("u", "U8", "[0]", "[4,4]") + "}"),
       "expected ',' or '}'"},
      {"missing_colon", file_image(R"({"t"{}})"), "expected ':'"},
      {"single_quotes", file_image("{'t':{}}"), "expected a key in quotes"},
      {"bare_key", file_image("{t:{}}"), "expected a key in quotes"},
      {"comment", file_image("{/**/}"), "expected a key in quotes"},
      {"cut_in_a_name", file_image(R"({"tens)"), "without its closing quote"},
      {"cut_in_an_escape", file_image("{\"t\\"), "without its closing quote"},
      {"newline_in_name", named("a\nb"), "control character"},
      {"unknown_escape", named("\\x41"), "unknown escape"},
      {"short_unicode_escape", named("\\u12"), "four hexadecimal digits"},
      {"bad_unicode_escape", named("\\u12g4"), "four hexadecimal digits"},
      {"lone_high_surrogate", named("\\ud800"), "half of a surrogate pair"},
      {"lone_low_surrogate", named("\\udc00"), "half of a surrogate pair"},
      {"two_high_surrogates", named("\\ud800\\ud800"), "half of a surrogate pair"},
      {"deep_nesting_of_lists", file_image(std::string(1'000'000, '[')), "expected '{'"},
      {"deep_nesting_of_objects", file_image([] {
         std::string text;
         for (int i = 0; i < 200'000; ++i) text += "{\"a\":";
         return text;
       }()),
       "unknown key \"a\" in tensor \"a\""},
  };
}

std::vector<Malformed> malformed_entries() {
  const std::string good = R"("dtype":"F32","shape":[1],"data_offsets":[0,4])";
  return {
      {"entry_is_null", file_image(R"({"t":null})"), "expected a tensor's description, found \"n\""},
      {"entry_is_number", file_image(R"({"t":1})"), "expected a tensor's description"},
      {"entry_is_list", file_image(R"({"t":[]})"), "expected a tensor's description"},
      {"entry_is_empty", file_image(R"({"t":{}})"), "tensor \"t\" has no dtype"},
      {"no_dtype", members(R"("shape":[1],"data_offsets":[0,4])"), "has no dtype"},
      {"no_shape", members(R"("dtype":"F32","data_offsets":[0,4])"), "has no shape"},
      {"no_offsets", members(R"("dtype":"F32","shape":[1])"), "has no data_offsets"},
      {"unknown_key", members(good + R"(,"strides":[1])"), "unknown key \"strides\" in tensor \"t\""},
      {"dtype_twice", members(R"("dtype":"F32",)" + good), "key \"dtype\" appears twice"},
      {"shape_twice", members(R"("shape":[1],)" + good), "key \"shape\" appears twice"},
      {"offsets_twice", members(R"("data_offsets":[0,4],)" + good), "key \"data_offsets\" appears twice"},
      {"dtype_twice_escaped", members(R"("\u0064type":"F32",)" + good), "key \"dtype\" appears twice"},
      {"dtype_unknown", file_image("{" + tensor("t", "F33", "[1]", "[0,4]") + "}", "abcd"), "unknown dtype \"F33\""},
      {"dtype_lower_case", file_image("{" + tensor("t", "f32", "[1]", "[0,4]") + "}", "abcd"), "unknown dtype"},
      {"dtype_empty", file_image("{" + tensor("t", "", "[1]", "[0,4]") + "}", "abcd"), "unknown dtype \"\""},
      {"dtype_number", members(R"("dtype":5)"), "expected the name of a dtype"},
      {"shape_null", shaped("null"), "expected the list of a shape"},
      {"shape_number", shaped("1"), "expected the list of a shape"},
      {"shape_nested", shaped("[[1]]"), "expected a dimension: a whole number"},
      {"shape_negative", shaped("[-1]"), "expected a dimension: a whole number, not negative"},
      {"shape_fraction", shaped("[1.0]"), "a dimension is not a whole number"},
      {"shape_exponent", shaped("[1e0]"), "a dimension is not a whole number"},
      {"shape_leading_zero", shaped("[01]"), "a dimension with a leading zero"},
      {"shape_plus", shaped("[+1]"), "expected a dimension"},
      {"shape_hexadecimal", shaped("[0x1]"), "expected ',' or ']'"},
      {"shape_nul", shaped(std::string("[\0001]", 4)), "expected a dimension"},
      {"shape_string", shaped("[\"1\"]"), "expected a dimension"},
      {"shape_trailing_comma", shaped("[1,]"), "expected a dimension"},
      {"shape_unclosed", file_image(R"({"t":{"dtype":"F32","shape":[1)", "abcd"),
       "expected ',' or ']', but the header"},
      {"dimension_2_64", shaped("[18446744073709551616]"), "a dimension does not fit 64 bits"},
      {"dimension_2_64_minus_1", shaped("[18446744073709551615]"), "a dimension exceeds 2^63 - 1"},
      {"dimension_2_63", shaped("[9223372036854775808]"), "a dimension exceeds 2^63 - 1"},
      {"product_overflows", shaped("[4294967296,4294967296]"), "the product of a shape overflows"},
      {"product_overflows_before_a_zero", shaped("[4294967296,4294967296,0]", "[0,0]"), "product of a shape overflows"},
      {"size_overflows", shaped("[4611686018427387905]"), "the size of tensor \"t\" overflows"},
      {"size_too_small", shaped("[2]"), "F32 of shape [2] takes 8 bytes, but its offsets are 4 apart"},
      {"size_too_large", shaped("[0]"), "takes 0 bytes, but its offsets are 4 apart"},
      {"scalar_of_wrong_size", shaped("[]", "[0,3]"), "F32 of shape [] takes 4 bytes"},
      {"four_bits_odd", file_image("{" + tensor("t", "F4", "[3]", "[0,2]") + "}", "ab"), "no whole number of bytes"},
      {"six_bits_odd", file_image("{" + tensor("t", "F6_E2M3", "[3]", "[0,3]") + "}", "abc"), "whole number of bytes"},
  };
}

std::vector<Malformed> malformed_layouts() {
  return {
      {"offsets_null", shaped("[1]", "null"), "expected the list of data_offsets"},
      {"offsets_empty", shaped("[1]", "[]"), "expected a begin offset"},
      {"offsets_one", shaped("[1]", "[0]"), "expected the second of two data_offsets"},
      {"offsets_three", shaped("[1]", "[0,4,8]"), "expected the end of two data_offsets"},
      {"offsets_negative", shaped("[1]", "[-4,0]"), "expected a begin offset: a whole number, not negative"},
      {"offsets_fraction", shaped("[1]", "[0,4.0]"), "an end offset is not a whole number"},
      {"offsets_exponent", shaped("[1]", "[0,4e0]"), "an end offset is not a whole number"},
      {"offsets_reversed", shaped("[1]", "[4,0]"), "tensor \"t\" ends before it begins"},
      {"offsets_2_64", shaped("[1]", "[0,18446744073709551620]"), "an end offset does not fit 64 bits"},
      {"offsets_at_2_64", shaped("[1]", "[18446744073709551611,18446744073709551615]"), "a hole in the data before"},
      {"overlap", two("[0,4]", "[2,6]", 6), "tensor \"b\" begins at byte 2 of the data, inside the one before it"},
      {"same_place_twice", two("[0,4]", "[0,4]", 4), "tensor \"b\" begins at byte 0 of the data, inside"},
      {"hole_at_begin", two("[4,8]", "[8,12]", 12), "a hole in the data before tensor \"a\", from byte 0 to 4"},
      {"hole_between", two("[0,4]", "[5,9]", 9), "a hole in the data before tensor \"b\", from byte 4 to 5"},
      {"tail", two("[0,4]", "[4,8]", 9), "1 bytes follow the last tensor's data"},
      {"data_cut", two("[0,4]", "[4,8]", 7), "its tensors take 8 bytes, but 7 follow the header"},
      {"no_data_at_all", two("[0,4]", "[4,8]", 0), "its tensors take 8 bytes, but 0 follow"},
      {"data_without_tensors", file_image("{}", "x"), "1 bytes follow the last tensor's data"},
      {"empty_tensor_inside_another",
       file_image("{" + tensor("a", "U8", "[4]", "[0,4]") + "," + tensor("b", "U8", "[0]", "[2,2]") + "}", "abcd"),
       "tensor \"b\" begins at byte 2"},
      {"name_twice",
       file_image("{" + tensor("a", "U8", "[4]", "[0,4]") + "," + tensor("a", "U8", "[4]", "[4,8]") + "}", "abcdefgh"),
       "the tensor \"a\" appears twice"},
      {"name_twice_escaped",
       file_image("{" + tensor("a", "U8", "[4]", "[0,4]") + "," + tensor("\\u0061", "U8", "[4]", "[4,8]") + "}",
                  "abcdefgh"),
       "the tensor \"a\" appears twice"},
      {"metadata_null", file_image(R"({"__metadata__":null})"), "expected the map of __metadata__"},
      {"metadata_list", file_image(R"({"__metadata__":[]})"), "expected the map of __metadata__"},
      {"metadata_number", file_image(R"({"__metadata__":{"a":1}})"), "expected a string in __metadata__"},
      {"metadata_nested", file_image(R"({"__metadata__":{"a":{}}})"), "expected a string in __metadata__"},
      {"metadata_value_null", file_image(R"({"__metadata__":{"a":null}})"), "expected a string in __metadata__"},
      {"metadata_key_twice", file_image(R"({"__metadata__":{"a":"1","a":"1"}})"), "key \"a\" appears twice in __meta"},
      {"metadata_key_twice_escaped", file_image(R"({"__metadata__":{"a":"1","\u0061":"2"}})"), "appears twice in __me"},
      {"metadata_twice", file_image(R"({"__metadata__":{},"__metadata__":{}})"), "\"__metadata__\" appears twice"},
      {"metadata_twice_escaped", file_image(R"({"__metadata__":{},"__metadata\u005f_":{}})"), "appears twice"},
  };
}

double cpu_milliseconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
}

void expect_refused(const std::vector<Malformed>& files) {
  for (const Malformed& bad : files) {
    const double begin = cpu_milliseconds();
    const std::string message =
        message_of<FormatError>([&] { parse_safetensors_header(bad.file, "FILE-" + std::string(bad.name)); });
    EXPECT_THAT(message, HasSubstr(bad.reason)) << bad.name;
    EXPECT_THAT(message, HasSubstr("FILE-" + std::string(bad.name)));
    EXPECT_LT(message.size(), 300u) << message;
    EXPECT_LT(cpu_milliseconds() - begin, 50) << bad.name;
  }
}

TEST(SafeTensorsHeader, RefusesMalformedPrefixes) { expect_refused(malformed_prefixes()); }
TEST(SafeTensorsHeader, RefusesMalformedJson) { expect_refused(malformed_json()); }
TEST(SafeTensorsHeader, RefusesMalformedEntries) { expect_refused(malformed_entries()); }
TEST(SafeTensorsHeader, RefusesMalformedLayouts) { expect_refused(malformed_layouts()); }

// Any truncation of a good file is refused, and so is any extension.
TEST(SafeTensorsHeader, RefusesEveryTruncation) {
  const std::string good = two("[0,4]", "[4,8]", 8);
  EXPECT_NO_THROW(parse_safetensors_header(good, "good"));
  for (size_t n = 0; n < good.size(); ++n)
    EXPECT_THROW(parse_safetensors_header(good.substr(0, n), "cut"), FormatError) << n;
  EXPECT_THROW(parse_safetensors_header(good + "x", "long"), FormatError);
}

TEST(SafeTensorsHeader, ReadsWhatIsOddButValid) {
  const std::string file = file_image(
      " \n{ \"b\" : { \"shape\" :[ ] ,\"data_offsets\":[ 4 , 8 ], \"dtype\":\"I32\" } ,\t"
      R"("\ud83d\ude00\n\/":{"dtype":"U8","shape":[ 2, 2 ],"data_offsets":[0,4]},)"
      R"("z":{"dtype":"F64","shape":[3,0],"data_offsets":[4,4]},)"
      R"("__metadata__":{"k":"v\"","":""}})"
      "  \r\n",
      "abcdefgh");
  const SafeTensorsHeader header = parse_safetensors_header(file, "odd");
  ASSERT_EQ(header.tensors.size(), 3u);
  EXPECT_EQ(header.tensors[0].name, "\xF0\x9F\x98\x80\n/");
  EXPECT_THAT(header.tensors[0].dims(), ElementsAre(2, 2));
  EXPECT_EQ(header.tensors[1].name, "z");
  EXPECT_THAT(header.tensors[1].dims(), ElementsAre(3, 0));
  EXPECT_EQ(header.tensors[2].name, "b");
  EXPECT_THAT(header.tensors[2].dims(), ElementsAre());
  EXPECT_EQ(header.find("b"), &header.tensors[2]);
  EXPECT_EQ(header.find("c"), nullptr);
  EXPECT_EQ(file.substr(header.data_begin), "abcdefgh");
  ASSERT_EQ(header.metadata.size(), 2u);
  EXPECT_EQ(header.metadata[0].first, "");
  EXPECT_EQ(header.metadata[1].second, "v\"");
}

TEST(SafeTensorsHeader, DTypesStandInTheFormatsOrder) {
  int bits_before = 0;
  for (const FileDType& dtype : file_dtypes()) {
    EXPECT_EQ(dtype.held ? size_of(*dtype.held) * 8 : dtype.bits, static_cast<size_t>(dtype.bits)) << dtype.name;
    if (dtype.name == "BOOL") continue;
    EXPECT_GE(dtype.bits, bits_before) << dtype.name;
    bits_before = dtype.bits;
  }
  EXPECT_EQ(file_dtypes().size(), 22u);
}

// --- size -----------------------------------------------------------------------------------------------------------

struct Cost {
  double seconds = 0;
  int64_t resident_bytes = 0;  // at most, beyond what the process held before
};

// What `body` costs, in a process of its own.
template <class Body>
Cost cost_of(Body body) {
  int channel[2];
  if (pipe(channel)) return {};
  const pid_t child = fork();
  if (child == 0) {
    rusage before{}, after{};
    getrusage(RUSAGE_SELF, &before);
    const double begin = cpu_milliseconds();
    body();
    getrusage(RUSAGE_SELF, &after);
    const Cost cost{(cpu_milliseconds() - begin) / 1e3, (after.ru_maxrss - before.ru_maxrss) * 1024};
    _exit(write(channel[1], &cost, sizeof cost) == sizeof cost ? 0 : 1);
  }
  Cost cost;
  close(channel[1]);
  EXPECT_EQ(read(channel[0], &cost, sizeof cost), static_cast<ssize_t>(sizeof cost));
  close(channel[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  return cost;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // the sanitizer's own memory and time would be measured
#else
constexpr bool kSanitized = false;
#endif

void expect_affordable(const std::filesystem::path& file, bool accepted) {
  const auto bytes = static_cast<int64_t>(std::filesystem::file_size(file));
  const Cost cost = cost_of([&] {
    const bool refused = !message_of<FormatError>([&] { SafeTensors::open(file); }).empty();
    if (refused == accepted) _exit(3);
  });
  // The mapped header itself counts as resident; one and a half times its size and
  // 16 MB beside it are for the table of tensors.
  EXPECT_LT(cost.resident_bytes, 2 * bytes + bytes / 2 + (16 << 20)) << "of a file of " << bytes;
  EXPECT_LT(cost.seconds, 5);
}

TEST(SafeTensorsHeader, HundredMegabytesOfPaddingAreFine) {
  if (kSanitized) GTEST_SKIP() << "measures memory and time";
  testing::TemporaryFolder folder;
  std::ofstream(folder / "f", std::ios::binary) << file_image("{}" + std::string(kMaxHeaderBytes - 2, ' '));
  expect_affordable(folder / "f", true);
}

TEST(SafeTensorsHeader, AMillionTensorsAreFineAndOneMoreIsNot) {
  if (kSanitized) GTEST_SKIP() << "measures memory and time";
  testing::TemporaryFolder folder;
  std::string header = "{";
  const auto add = [&](size_t i) {
    header += fmt::format(R"({}"{}":{{"dtype":"U8","shape":[],"data_offsets":[{},{}]}})", i ? "," : "",
                          i * 2654435761 % 4294967296, i, i + 1);  // distinct names in no order
  };
  for (size_t i = 0; i < kMaxTensors; ++i) add(i);
  std::ofstream(folder / "f", std::ios::binary) << file_image(header + "}", std::string(kMaxTensors, 'x'));
  expect_affordable(folder / "f", true);
  add(kMaxTensors);
  std::ofstream(folder / "f", std::ios::binary) << file_image(header + "}", std::string(kMaxTensors + 1, 'x'));
  expect_affordable(folder / "f", false);
  EXPECT_THAT(message_of<FormatError>([&] { SafeTensors::open(folder / "f"); }),
              HasSubstr("more than 1000000 tensors"));
}

TEST(SafeTensorsHeader, HugeShapesAndMetadataAreAffordable) {
  if (kSanitized) GTEST_SKIP() << "measures memory and time";
  testing::TemporaryFolder folder;
  std::string ones = "[1";
  for (int i = 0; i < 20'000'000; ++i) ones += ",1";
  std::ofstream(folder / "f", std::ios::binary) << file_image("{" + tensor("t", "U8", ones + "]", "[0,1]") + "}", "x");
  expect_affordable(folder / "f", true);
  std::string metadata;
  for (int i = 0; i <= 1'000'000; ++i) metadata += fmt::format(R"({}"{}":"")", i ? "," : "", i);
  std::ofstream(folder / "f", std::ios::binary) << file_image(R"({"__metadata__":{)" + metadata + "}}");
  expect_affordable(folder / "f", false);
  EXPECT_THAT(message_of<FormatError>([&] { SafeTensors::open(folder / "f"); }), HasSubstr("more than 100000 entries"));
}

}  // namespace
}  // namespace heed::io
