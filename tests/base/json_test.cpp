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

TEST(Json, IntegersThatAreTooLongAreDoubles) {
  const Json json = parse_json(
      R"({"a": 1000000000000000019884624838656, "b": [-99999999999999999999, 7, 18446744073709551615],
          "c \\\" 1000000000000000019884624838656": "1000000000000000019884624838656"})",
      "test");
  EXPECT_EQ(json["a"].get<double>(), 1e30);
  EXPECT_EQ(json["b"][0].get<double>(), -1e20);
  EXPECT_EQ(json["b"][1].get<int>(), 7);
  EXPECT_EQ(json["b"][2].get<double>(), 18446744073709551616.0);
  EXPECT_EQ(json["c \\\" 1000000000000000019884624838656"].get<std::string>(), "1000000000000000019884624838656");
  EXPECT_THROW(parse_json("[01]", "test"), FormatError);
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
