// golden_tokenizer.json: texts with their ids and decodings, compared exactly.
#include "heed/text/tokenizer.h"
#include "heed/verify/verify.h"

namespace heed::verify {
namespace {

// Counts cases of one kind.
class Cases {
 public:
  explicit Cases(std::string what) : what_(std::move(what)) {}

  template <class T>
  void compare(const T& actual, const T& expected, const std::string& text) {
    ++cases_;
    if (actual == expected) return;
    if (different_++ == 0) first_ = Json(text.substr(0, 40)).dump(-1, ' ', true, Json::error_handler_t::replace);
  }
  void add_to(Report& report) const {
    if (cases_ > 0) report.add(exact("tokenizer: " + what_, cases_, different_, first_));
  }

 private:
  std::string what_, first_;
  int64_t cases_ = 0, different_ = 0;
};

std::vector<int32_t> ids_of(const Json& list) {
  std::vector<int32_t> ids;
  check<FormatError>(list.is_array(), "golden_tokenizer.json: ids are no list");
  for (const Json& id : list) {
    check<FormatError>(id.is_number_integer(), "golden_tokenizer.json: what is no id among ids");
    ids.push_back(static_cast<int32_t>(id.get<int64_t>()));
  }
  return ids;
}

std::string string_of(const Json& entry, const char* key) {
  const auto it = entry.find(key);
  check<FormatError>(it != entry.end() && it->is_string(), "golden_tokenizer.json: \"{}\" is no string", key);
  return it->get<std::string>();
}

}  // namespace

void replay_tokenizer(const std::filesystem::path& folder, const Json& golden, Report& report) {
  const auto tokenizer = text::load_tokenizer(folder);
  Cases ids("ids"), plain("ids without special tokens"), decoded("decoded"), whole("decoded with special tokens"),
      pairs("pairs"), types("token types of pairs");
  for (const Json& entry : golden.value("single", Json::array())) {
    const std::string text = string_of(entry, "text");
    const std::vector<int32_t> expected = ids_of(entry.at("ids"));
    ids.compare(tokenizer->tokenize(text).ids, expected, text);
    plain.compare(tokenizer->tokenize(text, false).ids, ids_of(entry.at("ids_no_special")), text);
    decoded.compare(tokenizer->decode(expected, true), string_of(entry, "decoded"), text);
    whole.compare(tokenizer->decode(expected, false), string_of(entry, "decoded_with_special"), text);
  }
  for (const Json& entry : golden.value("pair", Json::array())) {
    const std::string a = string_of(entry, "a"), b = string_of(entry, "b");
    const text::TokenizedText both = tokenizer->tokenize_pair(a, b);
    pairs.compare(both.ids, ids_of(entry.at("ids")), a);
    const auto expected = entry.find("token_type_ids");
    if (expected != entry.end() && !expected->is_null()) types.compare(both.types, ids_of(*expected), a);
  }
  for (const Cases* cases : {&ids, &plain, &decoded, &whole, &pairs, &types}) cases->add_to(report);
}

}  // namespace heed::verify
