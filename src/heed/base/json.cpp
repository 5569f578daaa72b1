#include "heed/base/json.h"

#include <simdjson.h>

#include <unordered_set>

#include "heed/base/error.h"
#include "heed/base/files.h"

namespace heed {
namespace {

constexpr size_t kMaxDepth = 64;

Json convert(simdjson::dom::element element, const std::string& name) {
  using Type = simdjson::dom::element_type;
  switch (element.type()) {
    case Type::ARRAY: {
      Json array = Json::array();
      const simdjson::dom::array items = element;
      for (auto item : items) array.push_back(convert(item, name));
      return array;
    }
    case Type::OBJECT: {
      Json object = Json::object();
      std::unordered_set<std::string_view> seen;
      const simdjson::dom::object fields = element;
      for (auto [key, value] : fields) {
        check<FormatError>(seen.insert(key).second, "{}: the key \"{}\" appears twice in one object", name, key);
        // ordered_json looks a key up linearly; the set above has done so already, so the pair is appended.
        object.get_ref<Json::object_t&>().emplace_back(std::string(key), convert(value, name));
      }
      return object;
    }
    case Type::INT64: return element.get_int64().value_unsafe();
    case Type::UINT64: return element.get_uint64().value_unsafe();
    case Type::DOUBLE: return element.get_double().value_unsafe();
    case Type::STRING: return std::string(element.get_string().value_unsafe());
    case Type::BOOL: return element.get_bool().value_unsafe();
    default: return nullptr;
  }
}

}  // namespace

Json parse_json(std::string_view text, const std::string& name) {
  simdjson::dom::parser parser;
  auto error = parser.allocate(std::max<size_t>(text.size(), 32), kMaxDepth);
  check<FormatError>(!error, "{}: {}", name, simdjson::error_message(error));
  simdjson::dom::element root;
  error = parser.parse(simdjson::padded_string(text)).get(root);
  check<FormatError>(!error, "{}: not valid JSON: {}", name, simdjson::error_message(error));
  return convert(root, name);
}

Json read_json(const std::filesystem::path& file) { return parse_json(read_file(file), file.string()); }

void write_json(const std::filesystem::path& file, const Json& value) {
  write_file_atomically(file, value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace heed
