#include "heed/base/json.h"

#include <gtest/gtest.h>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "shared_files.h"

namespace heed {
namespace {

std::string reason(const std::string& text) {
  try {
    parse_json(text, "a.json");
  } catch (const FormatError& e) {
    return e.what();
  }
  return "accepted";
}

TEST(Json, KeepsOrderAndTypes) {
  const Json json = parse_json(R"({"z": 1, "a": [true, null, -2.5, 18446744073709551615, "\u00e9"]})", "a.json");
  EXPECT_EQ(json.dump(), R"({"z":1,"a":[true,null,-2.5,18446744073709551615,"é"]})");
}

TEST(Json, RefusesWithAReason) {
  EXPECT_NE(reason(R"({"a":1,"\u0061":2})").find("twice"), std::string::npos);
  EXPECT_NE(reason("{").find("a.json"), std::string::npos);
  EXPECT_NE(reason(""), "accepted");
  EXPECT_NE(reason("\"\xff\""), "accepted");
  EXPECT_NE(reason(std::string(65, '[') + std::string(65, ']')), "accepted");
  EXPECT_EQ(reason(std::string(60, '[') + std::string(60, ']')), "accepted");
  EXPECT_NE(reason(std::string(100000, '[')), "accepted");
}

TEST(Json, WritesWhatItReads) {
  testing::TemporaryFolder folder;
  const Json json = {{"b", 1}, {"a", {1.5, "x"}}};
  write_json(folder / "x.json", json);
  EXPECT_EQ(read_json(folder / "x.json"), json);
  EXPECT_EQ(read_file(folder / "x.json").back(), '\n');
}

}  // namespace
}  // namespace heed
