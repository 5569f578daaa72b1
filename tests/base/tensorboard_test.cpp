#include "heed/base/tensorboard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "shared_files.h"

namespace heed {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// CRC32C bit by bit: the remainder of polynomial division, unlike the writer's table.
uint32_t slow_crc32c(std::string_view data) {
  uint32_t crc = 0xFFFFFFFF;
  for (const char c : data) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82F63B78 : crc >> 1;
  }
  return crc ^ 0xFFFFFFFF;
}

uint32_t mask(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xA282EAD8; }

// A reader of its own: takes fields from the front of a message.
struct Reader {
  std::string_view rest;

  template <class T>
  T fixed() {
    if (rest.size() < sizeof(T)) throw std::runtime_error("cut short");
    T value;
    std::memcpy(&value, rest.data(), sizeof value);
    rest.remove_prefix(sizeof value);
    return value;
  }
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      const auto byte = fixed<uint8_t>();
      value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    throw std::runtime_error("endless varint");
  }
  std::string_view bytes(uint64_t size) {
    if (rest.size() < size) throw std::runtime_error("cut short");
    const std::string_view value = rest.substr(0, size);
    rest.remove_prefix(size);
    return value;
  }
};

struct Event {
  double wall_time = -1;
  int64_t step = -1;
  std::string version;
  std::vector<std::pair<std::string, float>> scalars;
  bool session_start = false;
};

std::pair<std::string, float> parse_value(std::string_view data) {
  std::pair<std::string, float> value;
  for (Reader in{data}; !in.rest.empty();) {
    switch (in.varint()) {
      case 1 << 3 | 2: value.first = in.bytes(in.varint()); break;
      case 2 << 3 | 5: value.second = in.fixed<float>(); break;
      default: throw std::runtime_error("unknown field of a value");
    }
  }
  return value;
}

Event parse_event(std::string_view data) {
  Event event;
  for (Reader in{data}; !in.rest.empty();) {
    switch (in.varint()) {
      case 1 << 3 | 1: event.wall_time = in.fixed<double>(); break;
      case 2 << 3 | 0: event.step = static_cast<int64_t>(in.varint()); break;
      case 3 << 3 | 2: event.version = in.bytes(in.varint()); break;
      case 5 << 3 | 2:
        for (Reader summary{in.bytes(in.varint())}; !summary.rest.empty();) {
          if (summary.varint() != (1 << 3 | 2)) throw std::runtime_error("unknown field of a summary");
          event.scalars.push_back(parse_value(summary.bytes(summary.varint())));
        }
        break;
      case 7 << 3 | 2: event.session_start = in.bytes(in.varint()) == std::string_view("\x08\x01"); break;
      default: throw std::runtime_error("unknown field of an event");
    }
  }
  return event;
}

std::vector<Event> read_events(const std::filesystem::path& file) {
  const std::string content = read_file(file);
  std::vector<Event> events;
  for (Reader in{content}; !in.rest.empty();) {
    const std::string_view head = in.rest.substr(0, 8);
    const auto length = in.fixed<uint64_t>();
    EXPECT_EQ(in.fixed<uint32_t>(), mask(slow_crc32c(head)));
    const std::string_view data = in.bytes(length);
    EXPECT_EQ(in.fixed<uint32_t>(), mask(slow_crc32c(data)));
    events.push_back(parse_event(data));
  }
  return events;
}

TEST(TensorBoard, TestsReadersChecksumIsCastagnolis) {
  EXPECT_EQ(slow_crc32c("123456789"), 0xE3069283u);            // the polynomial's check value
  EXPECT_EQ(slow_crc32c(std::string(32, '\0')), 0x8A9136AAu);  // RFC 3720, B.4
}

TEST(TensorBoard, WritesScalars) {
  const testing::TemporaryFolder folder;
  TensorBoardWriter writer(folder / "runs/a");
  EXPECT_THAT(writer.file().filename().string(), StartsWith("events.out.tfevents."));
  EXPECT_EQ(writer.file().parent_path(), folder / "runs/a");
  writer.write(0, std::vector<Scalar>{{"train/loss", 9.25}, {"ä \xFF", -0.1}}, 1700000000.125);
  writer.write(1'000'000'000'000, std::vector<Scalar>{{std::string_view(), std::nan("")}}, 0.0);
  writer.write(-1, std::vector<Scalar>{{"big", 1e30}, {"infinite", std::numeric_limits<double>::infinity()}}, 1.0);
  const std::vector<Event> events = read_events(writer.file());
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].version, "brain.Event:2");
  EXPECT_THAT(events[0].scalars, IsEmpty());
  EXPECT_FALSE(events[0].session_start);
  EXPECT_EQ(events[1].version, "");
  EXPECT_EQ(events[1].step, 0);
  EXPECT_EQ(events[1].wall_time, 1700000000.125);
  EXPECT_THAT(events[1].scalars, ElementsAre(std::pair<std::string, float>("train/loss", 9.25f),
                                             std::pair<std::string, float>("ä \uFFFD", -0.1f)));
  EXPECT_EQ(events[2].step, 1'000'000'000'000);
  ASSERT_EQ(events[2].scalars.size(), 1u);
  EXPECT_TRUE(std::isnan(events[2].scalars[0].second));
  EXPECT_EQ(events[3].step, -1);
  EXPECT_THAT(events[3].scalars,
              ElementsAre(std::pair<std::string, float>("big", 1e30f),
                          std::pair<std::string, float>("infinite", std::numeric_limits<float>::infinity())));
}

TEST(TensorBoard, LongTagsHaveLongLengths) {
  const testing::TemporaryFolder folder;
  TensorBoardWriter writer(folder.path());
  const std::string tag(100'000, 'x');
  writer.write(300, std::vector<Scalar>{{tag, 1}});
  const std::vector<Event> events = read_events(writer.file());
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[1].step, 300);
  EXPECT_EQ(events[1].scalars.at(0).first, tag);
}

TEST(TensorBoard, DatesEventsByTheClock) {
  const testing::TemporaryFolder folder;
  const auto seconds = [] {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  };
  const double before = seconds();
  TensorBoardWriter writer(folder.path());
  writer.write(1, std::vector<Scalar>{{"a", 1}});
  for (const Event& event : read_events(writer.file())) {
    EXPECT_GE(event.wall_time, before);
    EXPECT_LE(event.wall_time, seconds());
  }
}

// Nothing is buffered: every record can be read while the writer lives.
TEST(TensorBoard, FlushesEachRecord) {
  const testing::TemporaryFolder folder;
  TensorBoardWriter writer(folder.path());
  for (int64_t step = 0; step < 20; ++step) {
    EXPECT_EQ(read_events(writer.file()).size(), static_cast<size_t>(step) + 1);
    writer.write(step, std::vector<Scalar>{{"loss", 1.0}});
  }
}

TEST(TensorBoard, LeavesExistingFilesAlone) {
  const testing::TemporaryFolder folder;
  TensorBoardWriter first(folder.path());
  first.write(1, std::vector<Scalar>{{"loss", 1}});
  const std::string content = read_file(first.file());
  // Several within the same second.
  TensorBoardWriter second(folder.path(), 1), third(folder.path());
  EXPECT_NE(first.file(), second.file());
  EXPECT_NE(second.file(), third.file());
  EXPECT_EQ(read_file(first.file()), content);
  const std::vector<Event> resumed = read_events(second.file());
  ASSERT_EQ(resumed.size(), 2u);
  EXPECT_TRUE(resumed[1].session_start);
  EXPECT_EQ(resumed[1].step, 1);
}

TEST(TensorBoard, CutsOffARecordThatDidNotFit) {
  const testing::TemporaryFolder folder;
  TensorBoardWriter writer(folder.path());
  writer.write(1, std::vector<Scalar>{{"loss", 1}});
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  // A file may grow by 10 bytes more: the next record is written in part, then refused.
  const rlimit tight{std::filesystem::file_size(writer.file()) + 10, old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
  std::string message;
  try {
    writer.write(2, std::vector<Scalar>{{"loss", 2}});
  } catch (const IoError& e) {
    message = e.what();
  }
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(message, HasSubstr("cannot write: "));
  writer.write(3, std::vector<Scalar>{{"loss", 3}});
  const std::vector<Event> events = read_events(writer.file());
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[1].step, 1);
  EXPECT_EQ(events[2].step, 3);
}

TEST(TensorBoard, NamesAFolderThatCannotBe) {
  const testing::TemporaryFolder folder;
  write_file_atomically(folder / "file", "");
  try {
    TensorBoardWriter writer(folder / "file");
    FAIL() << "no error";
  } catch (const IoError& e) {
    EXPECT_THAT(e.what(), HasSubstr((folder / "file").string()));
  }
}

}  // namespace
}  // namespace heed
