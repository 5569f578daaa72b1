// Reading and writing of safetensors files: the reference's own cases and files, random round trips, and failing disks.
#include "heed/io/safetensors.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstring>
#include <fstream>
#include <sstream>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/json.h"
#include "heed/base/random.h"
#include "heed/io/xxh64.h"
#include "io/file_image.h"
#include "shared_files.h"

namespace heed::io {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string from_base64(std::string_view text) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=') break;
    bits = bits << 6 | static_cast<uint32_t>(kDigits.find(c));
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out.push_back(static_cast<char>(bits >> count));
  }
  return out;
}

std::string content_of(const SafeTensors& file, const std::string& name) {
  const auto bytes = file.bytes(name);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::vector<NamedView> all_views(const SafeTensors& file) {
  std::vector<NamedView> views;
  for (const std::string& name : file.names()) views.push_back({name, file.view(name)});
  return views;
}

void write_bytes(const fs::path& file, const std::string& bytes) { std::ofstream(file, std::ios::binary) << bytes; }

// --- files of the reference -----------------------------------------------------------------------------------------

// What the reference's own test says of a file that it refuses, as our message begins to say it.
const std::map<std::string, std::string> kReasons{
    {"test_metadata_incomplete_buffer_1", "34 bytes follow the last tensor's data"},
    {"test_metadata_incomplete_buffer_2", "is cut short: its tensors take 16 bytes, but 14 follow"},
    {"test_header_too_large", "at most 100000000"},
    {"test_header_too_small", "0 bytes are too few"},
    {"test_invalid_header_length", "its header should take 60 bytes, but 0 follow"},
    {"test_invalid_header_non_utf8", "not valid UTF-8"},
    {"test_invalid_header_not_json", "expected a key in quotes"},
    {"test_invalid_info", "takes 16 bytes, but its offsets are 4 apart"},
    {"test_validation_overflow_1", "a dimension exceeds 2^63 - 1"},
    {"test_validation_overflow_2", "overflows"},
    {"test_json_attack", "inside the one before it"},
    {"abuse_attempt_1_header_longer_than_file", "its header should take 1000 bytes"},
    {"abuse_attempt_3_overlapping_tensors", "inside the one before it"},
};

TEST(SafeTensors, CasesOfTheReference) {
  HEED_NEEDS_SHARED("data/safetensors/cases.jsonl");
  testing::TemporaryFolder folder;
  std::istringstream lines(read_file(testing::shared_path("data/safetensors/cases.jsonl")));
  int accepted = 0, refused = 0;
  for (std::string line; std::getline(lines, line);) {
    const Json test = parse_json(line, "cases.jsonl");
    const auto name = test["name"].get<std::string>();
    write_bytes(folder / name, from_base64(test["base64"].get<std::string>()));
    const std::string error = message_of<FormatError>([&] { SafeTensors::open(folder / name); });
    if (test["expect"] == "accept") {
      EXPECT_EQ(error, "") << name;
      ++accepted;
    } else {
      ASSERT_TRUE(kReasons.contains(name)) << name;
      EXPECT_THAT(error, HasSubstr(kReasons.at(name)));
      EXPECT_THAT(error, HasSubstr((folder / name).string()));
      ++refused;
    }
  }
  EXPECT_EQ(accepted, 11);
  EXPECT_EQ(refused, 13);
}

TEST(SafeTensors, FileFromTheHub) {
  HEED_NEEDS_SHARED("data/safetensors/jfk-codes.safetensors");
  const SafeTensors file = SafeTensors::open(testing::shared_path("data/safetensors/jfk-codes.safetensors"));
  ASSERT_EQ(file.names().size(), 1u);
  const TensorView codes = file.view(file.names()[0]);
  EXPECT_EQ(codes.dtype, DType::kI64);
  EXPECT_EQ(codes.shape, (Shape{1, 2, 828}));
  for (int64_t i = 0; i < codes.shape.numel(); ++i) {  // codes of an audio codec: indices into its codebooks
    EXPECT_GE(codes.as<int64_t>()[i], 0);
    EXPECT_LT(codes.as<int64_t>()[i], 2048);
  }
}

// Every file of the goldens is written again: byte for byte where the reference wrote it with sorted names, which is
// what save_pretrained does, and tensor for tensor in any case.
TEST(SafeTensors, GoldensWrittenBackAreTheSame) {
  HEED_NEEDS_SHARED("goldens");
  testing::TemporaryFolder folder;
  int models = 0, others = 0;
  for (const auto& entry : fs::recursive_directory_iterator(testing::shared_path("goldens"))) {
    if (entry.path().extension() != ".safetensors") continue;
    const SafeTensors file = SafeTensors::open(entry.path());
    write_safetensors(folder / "copy", all_views(file), file.metadata());
    const SafeTensors copy = SafeTensors::open(folder / "copy");
    ASSERT_EQ(copy.size(), file.size());
    EXPECT_EQ(copy.metadata(), file.metadata());
    bool has_bool = false;
    for (const std::string& name : file.names()) {
      EXPECT_EQ(content_of(copy, name), content_of(file, name)) << entry.path() << " " << name;
      EXPECT_EQ(copy.info(name).shape, file.info(name).shape);
      has_bool |= file.info(name).dtype == "BOOL";
    }
    EXPECT_TRUE(has_bool || read_file(folder / "copy") == read_file(entry.path())) << entry.path();
    ++(entry.path().filename() == "model.safetensors" ? models : others);
  }
  EXPECT_GE(models, 14);
  EXPECT_GE(others, 28);
}

// A file that another process cuts short while it is open: an error, where a touch of the map would be SIGBUS.
TEST(SafeTensors, AFileCutShortWhileOpenIsAnError) {
  testing::TemporaryFolder folder;
  const std::vector<float> values(1 << 20, 1.5f);
  const TensorView view{const_cast<float*>(values.data()), DType::kF32, {1 << 20}, 1 << 20};
  write_safetensors(folder / "f", {{"a", view}, {"b", view}});
  const SafeTensors file = SafeTensors::open(folder / "f");
  fs::resize_file(folder / "f", (size_t{5} << 20));
  std::vector<std::byte> bytes(size_t{4} << 20);
  file.read("a", 0, bytes);  // still there
  EXPECT_EQ(std::memcmp(bytes.data(), values.data(), bytes.size()), 0);
  EXPECT_THAT(message_of<IoError>([&] { file.read("b", 0, bytes); }), HasSubstr("was cut short"));
  EXPECT_THAT(message_of<IoError>([&] { file.view("b"); }), HasSubstr("was cut short"));
  EXPECT_THAT(message_of<IoError>([&] { file.bytes("a"); }), HasSubstr("was cut short"));
  fs::resize_file(folder / "f", 0);
  EXPECT_EQ(file.info("b").bytes, bytes.size());  // the header is a copy
  EXPECT_THROW(file.read("a", 0, bytes), IoError);
}

TEST(SafeTensors, PartsOfATensorAreRead) {
  testing::TemporaryFolder folder;
  std::vector<float> values{1, 2, 3, 4};
  write_safetensors(folder / "f", {{"a", {values.data(), DType::kF32, {2, 2}, 2}}});
  const SafeTensors file = SafeTensors::open(folder / "f");
  std::vector<float> part(2);
  file.read("a", 8, std::as_writable_bytes(std::span(part)));
  EXPECT_THAT(part, ElementsAre(3, 4));
  EXPECT_THAT(message_of<FormatError>([&] { file.read("a", 12, std::as_writable_bytes(std::span(part))); }),
              HasSubstr("has no bytes 12 to 20"));
}

// --- views ----------------------------------------------------------------------------------------------------------

TEST(SafeTensors, ViewsOfEachElementType) {
  testing::TemporaryFolder folder;
  const char* header = R"({"i64":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},)"
                       R"("f32":{"dtype":"F32","shape":[],"data_offsets":[8,12]},)"
                       R"("i32":{"dtype":"I32","shape":[1,1],"data_offsets":[12,16]},)"
                       R"("bf16":{"dtype":"BF16","shape":[1],"data_offsets":[16,18]},)"
                       R"("f16":{"dtype":"F16","shape":[1],"data_offsets":[18,20]},)"
                       R"("i8":{"dtype":"I8","shape":[1],"data_offsets":[20,21]},)"
                       R"("u8":{"dtype":"U8","shape":[1],"data_offsets":[21,22]},)"
                       R"("bool":{"dtype":"BOOL","shape":[2],"data_offsets":[22,24]},)"
                       R"("none":{"dtype":"F32","shape":[0,7],"data_offsets":[24,24]},)"
                       R"("f64":{"dtype":"F64","shape":[],"data_offsets":[24,32]},)"
                       R"("seven":{"dtype":"U8","shape":[1,1,1,1,1,1,1],"data_offsets":[32,33]}})";
  std::string data(33, '\0');
  const int64_t i64 = -5;
  const float f32 = 1.5f;
  const int32_t i32 = 7;
  const BFloat16 bf16(2.5f);
  const Float16 f16(-0.25f);
  std::memcpy(&data[0], &i64, 8), std::memcpy(&data[8], &f32, 4), std::memcpy(&data[12], &i32, 4);
  std::memcpy(&data[16], &bf16, 2), std::memcpy(&data[18], &f16, 2);
  data[20] = -3, data[21] = '\xF0', data[22] = 1;
  // Once aligned, and once at an odd address, where view() must give an aligned copy.
  for (const std::string padding : {"", " "}) {
    const std::string text = std::string(header) + std::string((8 - std::strlen(header) % 8) % 8, ' ') + padding;
    write_bytes(folder / "f", file_image(text, data));
    const SafeTensors file = SafeTensors::open(folder / "f");
    EXPECT_THAT(file.names(),
                ElementsAre("i64", "f32", "i32", "bf16", "f16", "i8", "u8", "bool", "none", "f64", "seven"));
    EXPECT_EQ(*file.view("i64").as<int64_t>(), -5);
    EXPECT_EQ(*file.view("f32").as<float>(), 1.5f);
    EXPECT_EQ(file.view("f32").shape, Shape{});
    EXPECT_EQ(*file.view("i32").as<int32_t>(), 7);
    EXPECT_EQ(static_cast<float>(*file.view("bf16").as<BFloat16>()), 2.5f);
    EXPECT_EQ(static_cast<float>(*file.view("f16").as<Float16>()), -0.25f);
    EXPECT_EQ(*file.view("i8").as<int8_t>(), -3);
    EXPECT_EQ(*file.view("u8").as<uint8_t>(), 0xF0);
    EXPECT_EQ(file.view("bool").as<uint8_t>()[0], 1);
    EXPECT_EQ(file.view("none").shape, (Shape{0, 7}));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(file.view("i64").data) % 8, 0u);
    EXPECT_EQ(file.view("i64").data, file.view("i64").data);
    EXPECT_EQ(file.info("f64").dtype, "F64");
    EXPECT_EQ(file.info("f64").bytes, 8u);
    EXPECT_THAT(message_of<FormatError>([&] { file.view("f64"); }),
                HasSubstr("\"f64\" is of F64, which Heed does not"));
    EXPECT_THAT(message_of<FormatError>([&] { file.view("seven"); }), HasSubstr("\"seven\" has 7 dimensions"));
    EXPECT_THAT(message_of<FormatError>([&] { file.view("absent"); }), HasSubstr("has no tensor \"absent\""));
  }
  EXPECT_THROW(SafeTensors::open(folder / "absent"), IoError);
  EXPECT_THROW(SafeTensors::open(folder.path()), IoError);
}

// --- writing --------------------------------------------------------------------------------------------------------

// Tensors of random names, types, shapes and bytes, with the memory that their views look at.
struct RandomTensors {
  explicit RandomTensors(uint64_t seed) {
    Random random(seed);
    const uint32_t count = random.below(12);
    for (uint32_t i = 0; i < count; ++i) {
      std::vector<int64_t> dims(random.below(Shape::kMaxRank + 1));
      for (int64_t& dim : dims) dim = random.below(5);
      const auto dtype = static_cast<DType>(random.below(7));
      const Shape shape(dims);
      std::vector<std::byte> bytes(static_cast<size_t>(shape.numel()) * size_of(dtype));
      for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
      memory.push_back(std::move(bytes));
      std::string name = fmt::format("{}.", i);
      static const std::vector<std::string> kPieces{"weight", "ä",          "\"", "\\", "\n",
                                                    "\x01",   "\U0001F600", " ",  "/",  "\x7f"};
      for (uint32_t n = random.below(6); n > 0; --n)
        name += kPieces[random.below(static_cast<uint32_t>(kPieces.size()))];
      views.push_back({name, {memory.back().data(), dtype, shape, shape.cols()}});
      metadata.emplace(name, fmt::format("value {}", random()));
    }
    random.shuffle(views);
  }

  std::vector<std::vector<std::byte>> memory;
  std::vector<NamedView> views;
  std::map<std::string, std::string> metadata;
};

TEST(WriteSafeTensors, RandomRoundTrips) {
  testing::TemporaryFolder folder;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    RandomTensors tensors(seed);
    const WrittenFile written = write_safetensors(folder / "f", tensors.views, tensors.metadata);
    const std::string first = read_file(folder / "f");
    EXPECT_EQ(written.bytes, first.size());
    EXPECT_EQ(written.bytes, safetensors_bytes(tensors.views, tensors.metadata));
    EXPECT_EQ(written.xxh64, xxh64(std::as_bytes(std::span(first))));
    const SafeTensors file = SafeTensors::open(folder / "f");
    ASSERT_EQ(file.size(), tensors.views.size());
    EXPECT_EQ(file.metadata(), tensors.metadata);
    for (const NamedView& named : tensors.views) {
      const std::string& name = named.name;
      const TensorView& view = named.view;
      const TensorView back = file.view(name);
      EXPECT_EQ(back.dtype, view.dtype);
      EXPECT_EQ(back.shape, view.shape);
      const std::string bytes(static_cast<const char*>(view.data),
                              static_cast<size_t>(view.shape.numel()) * size_of(view.dtype));
      EXPECT_EQ(content_of(file, name), bytes);
    }
    Random random(seed + 1000);
    random.shuffle(tensors.views);
    write_safetensors(folder / "f", tensors.views, tensors.metadata);
    EXPECT_EQ(read_file(folder / "f"), first) << "seed " << seed;
  }
}

TEST(WriteSafeTensors, LaysOutAsTheReferenceDoes) {
  testing::TemporaryFolder folder;
  std::vector<float> f(4, 1.0f);
  std::vector<uint8_t> u(3, 2);
  std::vector<int64_t> i(1, 3);
  write_safetensors(folder / "f", {{"u", {u.data(), DType::kU8, Shape{3}, 3}},
                                   {"b", {f.data(), DType::kF32, Shape{2}, 2}},
                                   {"a", {f.data(), DType::kF32, Shape{2, 2}, 2}},
                                   {"z", {i.data(), DType::kI64, Shape{}, 1}}});
  const std::string text = read_file(folder / "f");
  const std::string header = R"({"__metadata__":{"format":"pt"},"z":{"dtype":"I64","shape":[],"data_offsets":[0,8]},)"
                             R"("a":{"dtype":"F32","shape":[2,2],"data_offsets":[8,24]},)"
                             R"("b":{"dtype":"F32","shape":[2],"data_offsets":[24,32]},)"
                             R"("u":{"dtype":"U8","shape":[3],"data_offsets":[32,35]}})";
  EXPECT_EQ(text.substr(8, header.size()), header);
  EXPECT_EQ((text.size() - 35) % 8, 0u);
}

TEST(WriteSafeTensors, SlicesOfColumns) {
  testing::TemporaryFolder folder;
  std::vector<int32_t> matrix{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};  // [3, 4]
  write_safetensors(folder / "f", {{"middle", {&matrix[1], DType::kI32, Shape{3, 2}, 4}}});
  const SafeTensors file = SafeTensors::open(folder / "f");
  const int32_t* values = file.view("middle").as<int32_t>();
  EXPECT_THAT(std::vector<int32_t>(values, values + 6), ElementsAre(1, 2, 5, 6, 9, 10));
}

TEST(WriteSafeTensors, RefusesBadNames) {
  testing::TemporaryFolder folder;
  float x = 0;
  const TensorView view{&x, DType::kF32, Shape{1}, 1};
  const auto error = [&](std::vector<NamedView> tensors) {
    return message_of<FormatError>([&] { write_safetensors(folder / "f", std::move(tensors)); });
  };
  EXPECT_THAT(error({{"a", view}, {"a", view}}), HasSubstr("two tensors to be written are named \"a\""));
  EXPECT_THAT(error({{"__metadata__", view}}), HasSubstr("cannot be named"));
  EXPECT_THAT(error({{"\xff", view}}), HasSubstr("not valid UTF-8"));
  EXPECT_THAT(error({{"nothing", TensorView{}}}), HasSubstr("\"nothing\" to be written is empty"));
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

// Issue 762 of the reference: saving onto the file that the weights are mapped from must not lose them.
TEST(WriteSafeTensors, OntoTheFileItReads) {
  testing::TemporaryFolder folder;
  RandomTensors tensors(99);
  write_safetensors(folder / "f", tensors.views);
  const std::string bytes = read_file(folder / "f");
  for (int i = 0; i < 100; ++i) {
    const SafeTensors file = SafeTensors::open(folder / "f");
    write_safetensors(folder / "f", all_views(file));
    ASSERT_EQ(read_file(folder / "f"), bytes);
  }
}

// A disk that fills up, by the limit on a file's size, which write(2) reports in the same way.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    old_handler_ = signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit{bytes, old_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &old_);
    signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_{};
  sighandler_t old_handler_;
};

TEST(WriteSafeTensors, DiskFullLeavesTheOldFile) {
  testing::TemporaryFolder folder;
  std::vector<float> weights(100'000, 1.0f);
  const std::vector<NamedView> tensors{{"w", {weights.data(), DType::kF32, Shape{100, 1000}, 1000}}};
  write_safetensors(folder / "f", tensors);
  const std::string before = read_file(folder / "f");
  std::ranges::fill(weights, 2.0f);
  for (const rlim_t limit : {0, 1, 8, 100, 4096, 262'144, 399'999}) {
    std::string error;
    {
      const FileSizeLimit full(limit);
      error = message_of<IoError>([&] { write_safetensors(folder / "f", tensors); });
    }
    EXPECT_THAT(error, HasSubstr("File too large")) << limit;
    EXPECT_THAT(error, HasSubstr((folder / "f").string()));
    EXPECT_EQ(read_file(folder / "f"), before);
    EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1) << "a temporary was left";
  }
  write_safetensors(folder / "f", tensors);
  EXPECT_NE(read_file(folder / "f"), before);
}

}  // namespace
}  // namespace heed::io
