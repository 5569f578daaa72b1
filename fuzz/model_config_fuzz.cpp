// Fuzzes what families make of a config.json (libFuzzer): a model of any configuration, its parameters left untouched.
//
// Only ConfigError, FormatError and MemoryError may come out. Whole numbers within the caps are held to 300, because a
// structure of allowed sizes may still be larger than this program's memory.
#include <cstdint>
#include <string>
#include <string_view>

#include "heed/base/error.h"
#include "heed/io/config_reader.h"
#include "heed/models/registry.h"

namespace {

constexpr int64_t kMost = 300;

void make_small(heed::Json& value) {
  if (value.is_structured()) {
    for (heed::Json& inner : value) make_small(inner);
  } else if (value.is_number_integer() && value > kMost && value <= heed::io::kMaxPositions) {
    value = kMost;
  }
}

}  // namespace

extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<std::string> types = heed::models::model_types();
  if (size == 0) return 0;
  try {
    heed::Json config = heed::parse_json(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz");
    if (!config.is_object()) return 0;
    make_small(config);
    // Every family sees every configuration.
    for (const std::string& type : types) {
      config["model_type"] = type;
      try {
        heed::models::make_model(config, "fuzz", std::nullopt);
      } catch (const heed::ConfigError&) {
      } catch (const heed::MemoryError&) {}
    }
  } catch (const heed::FormatError&) {}
  return 0;
}
