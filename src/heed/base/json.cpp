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

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// simdjson refuses integers that 64 bits do not hold, such as the model_max_length of 1e30 that transformers writes in
// full. With an exponent they are read as what they are to JavaScript, the nearest double.
std::string widen_integers(std::string_view text) {
  constexpr size_t kLongest = 18;  // digits that always fit
  std::string out;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    out += text[i];
    if (in_string && text[i] == '\\' && i + 1 < text.size()) out += text[++i];
    else if (text[i] == '"') in_string = !in_string;
    const bool begins = !in_string && is_digit(text[i]) && (i == 0 || !(is_digit(text[i - 1]) || text[i - 1] == '.'));
    if (!begins) continue;
    const size_t begin = i;
    while (i + 1 < text.size() && is_digit(text[i + 1])) out += text[++i];
    const char next = i + 1 < text.size() ? text[i + 1] : ' ';
    if (i + 1 - begin > kLongest && next != '.' && next != 'e' && next != 'E') out += "e0";
  }
  return out;
}

}  // namespace

Json parse_json(std::string_view text, const std::string& name) {
  simdjson::dom::parser parser;
  auto error = parser.allocate(std::max<size_t>(text.size(), 32), kMaxDepth);
  check<FormatError>(!error, "{}: {}", name, simdjson::error_message(error));
  simdjson::dom::element root;
  error = parser.parse(simdjson::padded_string(text)).get(root);
  if (error == simdjson::NUMBER_ERROR) error = parser.parse(simdjson::padded_string(widen_integers(text))).get(root);
  check<FormatError>(!error, "{}: not valid JSON: {}", name, simdjson::error_message(error));
  return convert(root, name);
}

Json read_json(const std::filesystem::path& file) { return parse_json(read_file(file), file.string()); }

void write_json(const std::filesystem::path& file, const Json& value) {
  write_file_atomically(file, value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace heed
