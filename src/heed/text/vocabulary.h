// A vocabulary as vocab.json has it: an object of token to id. Ids need not be contiguous. Immutable once filled;
// thread-safe then.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace heed::text {

class Vocabulary {
 public:
  Vocabulary() = default;
  Vocabulary(const Vocabulary&) = delete;
  Vocabulary& operator=(const Vocabulary&) = delete;
  Vocabulary(Vocabulary&&) = default;
  Vocabulary& operator=(Vocabulary&&) = default;

  // Throws IoError; FormatError for what is not an object of distinct ids in [0, 2^22).
  static Vocabulary load(const std::filesystem::path& file);

  // In the order of the ids.
  void save(const std::filesystem::path& file) const;

  // Gives `token` the id `id`; both must be new.
  void add(std::string token, int32_t id);

  std::optional<int32_t> id(std::string_view token) const;
  // The token of an id, or nullptr.
  const std::string* token(int32_t id) const;

  // How many tokens there are.
  size_t count() const { return ids_.size(); }
  // One more than the highest id.
  int32_t size() const { return static_cast<int32_t>(tokens_.size()); }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::unordered_map<std::string, int32_t, Hash, std::equal_to<>> ids_;
  std::vector<const std::string*> tokens_;  // keys of ids_, which stay where they are
};

}  // namespace heed::text
