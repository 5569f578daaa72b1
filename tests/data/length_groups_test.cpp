#include "heed/data/length_groups.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "heed/base/random.h"
#include "heed/text/line_reader.h"
#include "made_files.h"

namespace heed::data {
namespace {

using heed::testing::gzip;
using heed::testing::put;
using ::testing::ElementsAre;

TEST(LengthGroups, LongestFirstWithinTheLimits) {
  const std::vector<uint32_t> lengths = {3, 9, 3, 0, 7, 3};
  EXPECT_THAT(length_groups(lengths, 2), ElementsAre(ElementsAre(1, 4), ElementsAre(0, 2), ElementsAre(5, 3)));
  // 9 tokens: one row of 9, one of 7, three of 3, and the empty one.
  EXPECT_THAT(length_groups(lengths, 10, 9),
              ElementsAre(ElementsAre(1), ElementsAre(4), ElementsAre(0, 2, 5), ElementsAre(3)));
  EXPECT_THAT(length_groups(lengths, 10, 2).size(), 6u);  // at least one row each
  EXPECT_THAT(length_groups({}, 4), ElementsAre());
  EXPECT_THROW(length_groups(lengths, 0), UsageError);
}

TEST(InOrder, HandsOutWhatIsDue) {
  InOrder<std::string> order;
  std::string out;
  const auto write = [&](std::string&& value) { out += value; };
  order.put(2, "c", write);
  order.put(1, "b", write);
  EXPECT_EQ(out, "");
  EXPECT_EQ(order.waiting(), 2u);
  order.put(0, "a", write);
  EXPECT_EQ(out, "abc");
  EXPECT_EQ(order.due(), 3u);
  EXPECT_EQ(order.waiting(), 0u);
  EXPECT_THROW(order.put(1, "again", write), Error);
  order.put(4, "e", write);
  EXPECT_THROW(order.put(4, "again", write), Error);
  EXPECT_THROW(order.put(3, "d", [](std::string&&) { throw IoError("full"); }), IoError);
  order.put(5, "f", write);  // what could not be written is gone, the order goes on
  EXPECT_EQ(out, "abcef");
}

// 100,000 numbered lines of random lengths pass windows of 5,000 whose groups are finished in random order, two windows
// at a time.
TEST(LengthGroups, OrderIsExactForAHundredThousandLines) {
  testing::TemporaryFolder folder;
  Random random(4);
  std::string text;
  constexpr uint64_t kLines = 100000;
  for (uint64_t i = 0; i < kLines; ++i)
    text += std::to_string(i) + std::string(random.below(8) == 0 ? 0 : random.below(80), '.') + "\n";
  text::LineReader reader(put(folder, "in", gzip(text)));

  InOrder<std::string> order;
  std::string written, line;
  size_t most_waiting = 0;
  std::vector<std::vector<std::pair<uint64_t, std::string>>> finished;
  const auto finish_some = [&](size_t keep) {
    random.shuffle(finished);
    while (finished.size() > keep) {
      for (auto& [index, value] : finished.back())
        order.put(index, std::move(value), [&](std::string&& due) { written += due + "\n"; });
      finished.pop_back();
      most_waiting = std::max(most_waiting, order.waiting());
    }
  };
  for (uint64_t first = 0; first < kLines;) {
    std::vector<std::string> window;
    std::vector<uint32_t> lengths;
    while (window.size() < 5000 && reader.next(line)) {
      window.push_back(line);
      lengths.push_back(static_cast<uint32_t>(line.size()));
    }
    for (const auto& group : length_groups(lengths, 64, 2000)) {
      finished.emplace_back();
      for (const uint32_t i : group) finished.back().emplace_back(first + i, window[i]);
    }
    first += window.size();
    finish_some(40);
  }
  finish_some(0);
  EXPECT_TRUE(written == text);
  EXPECT_EQ(order.due(), kLines);
  EXPECT_EQ(order.waiting(), 0u);
}

}  // namespace
}  // namespace heed::data
