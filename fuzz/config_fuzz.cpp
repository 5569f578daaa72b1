// Fuzzes the reading of config.json (libFuzzer): the JSON parser and every kind of read of ConfigReader.
//
// Every key that stands in the object, and a few that families ask for, are read in every way. Only ConfigError and
// FormatError may come out; what is returned must lie in the range that was asked for.
#include <string>
#include <string_view>
#include <vector>

#include "heed/base/error.h"
#include "heed/io/config_reader.h"
#include "require.h"

namespace {

using heed::Json;
using heed::io::ConfigReader;

enum class Choice { kA, kB };

template <class Body>
void attempt(Body body) {
  try {
    body();
  } catch (const heed::ConfigError& e) {
    require(std::string_view(e.what()).starts_with("fuzz: \""));
  }
}

void read_everything(const ConfigReader& reader, const std::string& key, int depth);

void read_scalars(const ConfigReader& reader, const std::string& key) {
  attempt([&] {
    const int n = reader.require<int>(key, 1, heed::io::kMaxLayers);
    require(n >= 1 && n <= heed::io::kMaxLayers);
  });
  attempt([&] { reader.get<int64_t>(key, INT64_MIN, INT64_MAX); });
  attempt([&] {
    const double x = reader.get_or(key, 0.5, 0, 1);
    require(x >= 0 && x <= 1);
  });
  attempt([&] {
    const auto x = reader.get<float>(key, -1e30f, 1e30f);
    require(!x || (*x >= -1e30f && *x <= 1e30f));
  });
  attempt([&] { reader.get_or(key, true); });
  attempt([&] { reader.get_or(key, "gelu"); });
  attempt([&] { reader.require_string(key); });
  attempt([&] { reader.get_enum_or(key, Choice::kA, {{"relu", Choice::kA}, {"marian", Choice::kB}}); });
  attempt([&] { reader.allow_only(key, 1); });
}

void read_everything(const ConfigReader& reader, const std::string& key, int depth) {
  read_scalars(reader, key);
  attempt([&] {
    for (const int id : reader.ids(key)) require(id >= 0 && id < heed::io::kMaxVocab);
  });
  attempt([&] {
    for (const auto& ids : reader.id_lists(key))
      for (const int id : ids) require(id >= 0 && id < heed::io::kMaxVocab);
  });
  attempt([&] { reader.strings(key); });
  attempt([&] {
    const auto inner = reader.object(key);
    if (!inner || depth == 0) return;
    for (const std::string& name : inner->unread()) read_everything(*inner, name, depth - 1);
    require(inner->unread().empty());
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Json config;
  try {
    config = heed::parse_json(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz");
  } catch (const heed::FormatError&) {
    return 0;
  }
  if (!config.is_object()) return 0;
  const ConfigReader reader(config, "fuzz");
  for (const char* key : {"d_model", "eos_token_id", "activation_function"}) read_everything(reader, key, 1);
  for (const std::string& key : reader.unread()) read_everything(reader, key, 3);
  require(reader.unread().empty());
  return 0;
}
