#include "heed/text/vocabulary.h"

#include "heed/base/error.h"
#include "heed/base/json.h"

namespace heed::text {
namespace {

constexpr int64_t kMaxId = int64_t{1} << 22;

}  // namespace

Vocabulary Vocabulary::load(const std::filesystem::path& file) {
  const Json json = read_json(file);
  const std::string name = file.string();
  check<FormatError>(json.is_object(), "{}: expected an object of tokens and ids, got {}", name, json.type_name());
  Vocabulary vocabulary;
  for (const auto& [token, value] : json.items()) {
    check<FormatError>(value.is_number_integer() && value.get<int64_t>() >= 0 && value.get<int64_t>() < kMaxId,
                       "{}: expected the id of \"{}\" to be a number of 0 to {}, got {}", name, token, kMaxId - 1,
                       value.dump());
    const auto id = value.get<int32_t>();
    const std::string* other = vocabulary.token(id);
    check<FormatError>(!other, "{}: the tokens \"{}\" and \"{}\" have the same id {}", name, other ? *other : "", token,
                       id);
    vocabulary.add(token, id);
  }
  return vocabulary;
}

void Vocabulary::save(const std::filesystem::path& file) const {
  Json json = Json::object();
  // ordered_json looks a new key up linearly; the tokens are known to differ.
  auto& object = json.get_ref<Json::object_t&>();
  for (size_t id = 0; id < tokens_.size(); ++id)
    if (tokens_[id]) object.emplace_back(*tokens_[id], static_cast<int32_t>(id));
  write_json(file, json);
}

void Vocabulary::add(std::string token, int32_t id) {
  const auto [place, is_new] = ids_.emplace(std::move(token), id);
  check<FormatError>(is_new, "vocabulary: the token \"{}\" appears twice", place->first);
  const auto index = static_cast<size_t>(id);
  if (index >= tokens_.size()) tokens_.resize(index + 1, nullptr);
  tokens_[index] = &place->first;
}

std::optional<int32_t> Vocabulary::id(std::string_view token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

const std::string* Vocabulary::token(int32_t id) const {
  return id >= 0 && id < size() ? tokens_[static_cast<size_t>(id)] : nullptr;
}

}  // namespace heed::text
