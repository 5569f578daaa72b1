// Every kind of reading against every hostile value, and the errors' wording.
#include "heed/io/config_reader.h"

#include <gmock/gmock.h>

#include <functional>

#include "heed/base/files.h"
#include "io/file_image.h"
#include "shared_files.h"

namespace heed::io {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

enum class Color { kRed, kGreen };

Json json(const std::string& text) { return parse_json(text, "test"); }

std::string error_of(const std::function<void()>& body) { return message_of<ConfigError>(body); }

// The values that a hostile file may put under any key.
const std::vector<std::string> kHostile{"-1",
                                        "0",
                                        "1",
                                        "2147483648",
                                        "9223372036854775808",
                                        "1e308",
                                        "null",
                                        "\"x\"",
                                        "[]",
                                        "{}",
                                        "true",
                                        "-9223372036854775808",
                                        "0.5",
                                        "[[]]",
                                        "[-1]",
                                        "[4194304]",
                                        "18446744073709551615"};

struct Reading {
  const char* name;
  std::function<void(const ConfigReader&)> read;
  std::vector<std::string> accepted;  // of kHostile
};

std::vector<Reading> readings() {
  return {
      {"layers", [](const ConfigReader& c) { c.require<int>("k", 1, kMaxLayers); }, {"1"}},
      {"vocab", [](const ConfigReader& c) { c.require<int>("k", 0, kMaxVocab); }, {"0", "1"}},
      {"any_int64",
       [](const ConfigReader& c) { c.require<int64_t>("k", INT64_MIN, INT64_MAX); },
       {"-1", "0", "1", "2147483648", "-9223372036854775808"}},
      {"any_int", [](const ConfigReader& c) { c.get<int>("k", INT32_MIN, INT32_MAX); }, {"-1", "0", "1", "null"}},
      {"rate", [](const ConfigReader& c) { c.get_or("k", 0.1, 0, 1); }, {"0", "1", "null", "0.5"}},
      {"rate_float", [](const ConfigReader& c) { c.require<float>("k", 0, 1); }, {"0", "1", "0.5"}},
      {"any_double",
       [](const ConfigReader& c) { c.require<double>("k", -1e308, 1e308); },
       {"-1", "0", "1", "2147483648", "9223372036854775808", "1e308", "-9223372036854775808", "0.5",
        "18446744073709551615"}},
      {"flag", [](const ConfigReader& c) { c.get_or("k", false); }, {"null", "true"}},
      {"string", [](const ConfigReader& c) { c.require_string("k"); }, {"\"x\""}},
      {"string_or", [](const ConfigReader& c) { c.get_or("k", "y"); }, {"\"x\"", "null"}},
      {"enumeration",
       [](const ConfigReader& c) {
         c.require_enum<Color>("k", {{"x", Color::kRed}});
       },
       {"\"x\""}},
      {"enumeration_or",
       [](const ConfigReader& c) {
         c.get_enum_or("k", Color::kGreen, {{"x", Color::kRed}});
       },
       {"\"x\"", "null"}},
      {"ids", [](const ConfigReader& c) { c.ids("k"); }, {"0", "1", "null", "[]"}},
      {"id_lists", [](const ConfigReader& c) { c.id_lists("k"); }, {"null", "[]", "[[]]"}},
      {"strings", [](const ConfigReader& c) { c.strings("k"); }, {"null", "[]"}},
      {"object", [](const ConfigReader& c) { c.object("k"); }, {"null", "{}"}},
      {"only_true", [](const ConfigReader& c) { c.allow_only("k", true); }, {"null", "true"}},
  };
}

TEST(ConfigReader, HostileValues) {
  for (const Reading& reading : readings())
    for (const std::string& value : kHostile) {
      const Json config = json("{\"k\":" + value + "}");
      const ConfigReader reader(config, "a/config.json");
      const bool accepts = std::ranges::find(reading.accepted, value) != reading.accepted.end();
      const std::string error = error_of([&] { reading.read(reader); });
      if (accepts) EXPECT_THAT(error, IsEmpty()) << reading.name << " of " << value;
      else
        EXPECT_THAT(error, AllOf(HasSubstr("a/config.json: \"k\": expected"), HasSubstr("found")))
            << reading.name << " of " << value;
    }
}

TEST(ConfigReader, AbsentKeys) {
  const Json config = json("{}");
  const ConfigReader reader(config, "f");
  EXPECT_EQ(error_of([&] { reader.require<int>("d_model", 1, 9); }),
            "f: \"d_model\": expected a number, found nothing");
  EXPECT_EQ(error_of([&] { reader.require_string("s"); }), "f: \"s\": expected a string, found nothing");
  EXPECT_EQ(reader.get_or("n", 7, 0, 9), 7);
  EXPECT_EQ(reader.get_or("x", 0.25f, 0, 1), 0.25f);
  EXPECT_TRUE(reader.get_or("b", true));
  EXPECT_EQ(reader.get_or("s", "relu"), "relu");
  EXPECT_EQ(reader.get_enum_or("e", Color::kGreen, {{"red", Color::kRed}}), Color::kGreen);
  EXPECT_FALSE(reader.get<int>("n", 0, 9).has_value());
  EXPECT_FALSE(reader.object("o").has_value());
  EXPECT_THAT(reader.ids("i"), IsEmpty());
  EXPECT_FALSE(reader.has("n"));
  EXPECT_NO_THROW(reader.allow_only("n", 3));
}

TEST(ConfigReader, Values) {
  const Json config = json(R"({"n":5,"x":2,"b":false,"s":"gelu","e":"green","ids":[3,4],"id":2,"bad":[[1,2],[3]],
                               "names":["A"],"rope":{"theta":1e4,"inner":{"z":[]}},"scale":true})");
  const ConfigReader reader(config, "f");
  EXPECT_EQ(reader.require<int>("n", 5, 5), 5);
  EXPECT_EQ(reader.require<int64_t>("n", 0, 9), 5);
  EXPECT_EQ(reader.require<double>("x", 0, 9), 2.0);  // an integer serves as a real
  EXPECT_FALSE(reader.get_or("b", true));
  EXPECT_EQ(reader.require_string("s"), "gelu");
  EXPECT_EQ(reader.require_enum<Color>("e", {{"red", Color::kRed}, {"green", Color::kGreen}}), Color::kGreen);
  EXPECT_THAT(reader.ids("ids"), ElementsAre(3, 4));
  EXPECT_THAT(reader.ids("id"), ElementsAre(2));
  EXPECT_THAT(reader.id_lists("bad"), ElementsAre(ElementsAre(1, 2), ElementsAre(3)));
  EXPECT_THAT(reader.strings("names"), ElementsAre("A"));
  EXPECT_EQ(reader.object("rope")->require<double>("theta", 0, 1e9), 1e4);
  EXPECT_NO_THROW(reader.allow_only("scale", true));
  EXPECT_EQ(reader.find("n")->get<int>(), 5);
}

TEST(ConfigReader, Wording) {
  const Json config = json(R"({"n":1025,"e":"blue","rope":{"inner":{"z":[1,2]}},"scale":true,"long":")" +
                           std::string(500, 'a') + R"(","x":7.5})");
  const ConfigReader reader(config, "f");
  EXPECT_EQ(error_of([&] { reader.require<int>("n", 1, kMaxLayers); }),
            "f: \"n\": expected an integer from 1 to 1024, found 1025");
  EXPECT_EQ(error_of([&] { reader.require<int>("x", 1, 9); }), "f: \"x\": expected an integer from 1 to 9, found 7.5");
  EXPECT_EQ(error_of([&] { reader.require<double>("x", 0, 1); }), "f: \"x\": expected a number from 0 to 1, found 7.5");
  EXPECT_EQ(error_of([&] {
              reader.require_enum<Color>("e", {{"red", Color::kRed}, {"green", Color::kGreen}});
            }),
            "f: \"e\": expected one of \"red\", \"green\", found \"blue\"");
  EXPECT_EQ(error_of([&] { reader.object("rope")->object("inner")->get_bool("z"); }),
            "f: \"rope.inner.z\": expected true or false, found a list of 2");
  EXPECT_EQ(error_of([&] { reader.allow_only("scale", false); }),
            "f: \"scale\": expected false, the only value that is supported, found true");
  EXPECT_LT(error_of([&] { reader.get_bool("long"); }).size(), 150u);
  EXPECT_EQ(error_of([&] { ConfigReader(config["n"], "f"); }), "f: expected an object, found 1025");
}

TEST(ConfigReader, KnowsWhatWasNotRead) {
  const Json config = json(R"({"a":1,"b":2,"c":null,"d":{"e":1}})");
  const ConfigReader reader(config, "f");
  EXPECT_THAT(reader.unread(), ElementsAre("a", "b", "c", "d"));
  reader.get<int>("a", 0, 9);
  reader.get_bool("c");
  const auto inner = reader.object("d");
  EXPECT_THAT(reader.unread(), ElementsAre("b"));
  EXPECT_THAT(inner->unread(), ElementsAre("e"));
}

}  // namespace
}  // namespace heed::io
