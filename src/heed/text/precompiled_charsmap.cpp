#include "heed/text/precompiled_charsmap.h"

#include <algorithm>
#include <cstring>

#include "heed/base/error.h"

namespace heed::text {
namespace {

constexpr uint32_t kLeafBit = uint32_t{1} << 31;

// Bounds that no real map comes near (NFKC: 18 bytes to 33); they keep a forged one from costing quadratic time (its
// trie may have a cycle) or exploding a text.
constexpr size_t kMaxRuleBytes = 256, kMaxReplacementBytes = 1024;

uint32_t read_u32(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value |= uint32_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
  return value;
}

bool is_leaf(uint32_t unit) { return (unit & kLeafBit) != 0; }
bool leaf_follows(uint32_t unit) { return (unit >> 8 & 1) != 0; }
uint32_t offset(uint32_t unit) { return (unit >> 10) << ((unit >> 9 & 1) * 8); }

}  // namespace

PrecompiledCharsMap::PrecompiledCharsMap(std::string_view blob, const std::string& name) {
  if (blob.empty()) return;
  check<FormatError>(blob.size() > 4, "{}: expected a character map of more than 4 bytes, got {}", name, blob.size());
  const uint32_t trie_bytes = read_u32(blob);
  blob.remove_prefix(4);
  check<FormatError>(trie_bytes > 0 && trie_bytes % 1024 == 0 && trie_bytes < blob.size(),
                     "{}: expected the character map's trie to take a multiple of 1024 bytes, fewer than the {} that "
                     "follow, got {}",
                     name, blob.size(), trie_bytes);
  units_.resize(trie_bytes / 4);
  for (size_t i = 0; i < units_.size(); ++i) units_[i] = read_u32(blob.substr(4 * i));
  strings_ = blob.substr(trie_bytes);
  check<FormatError>(strings_.back() == '\0', "{}: expected the character map to end in NUL", name);
  for (size_t begin = 0; begin < strings_.size();) {
    const size_t length = std::strlen(strings_.data() + begin);
    check<FormatError>(length <= kMaxReplacementBytes,
                       "{}: character map: expected strings of at most {} bytes, got {}", name, kMaxReplacementBytes,
                       length);
    begin += length + 1;
  }
  check_units(name);
}

void PrecompiledCharsMap::check_units(const std::string& name) const {
  const size_t size = units_.size();
  for (size_t i = 0; i < size; ++i) {
    const uint32_t unit = units_[i];
    if (is_leaf(unit)) {
      check<FormatError>((unit & ~kLeafBit) < strings_.size(),
                         "{}: character map: unit {} points to byte {} of {} bytes of strings", name, i,
                         unit & ~kLeafBit, strings_.size());
      continue;
    }
    const size_t base = i ^ offset(unit);
    check<FormatError>((base | 0xFF) < size, "{}: character map: unit {} has children at {}, but there are {} units",
                       name, i, base, size);
    check<FormatError>(!leaf_follows(unit) || is_leaf(units_[base]),
                       "{}: character map: expected unit {} to be a leaf, as unit {} says", name, base, i);
  }
  check<FormatError>(!is_leaf(units_[0]), "{}: character map: expected the first unit to be no leaf", name);
}

uint32_t PrecompiledCharsMap::children(uint32_t unit) const { return unit ^ offset(units_[unit]); }

uint32_t PrecompiledCharsMap::step(uint32_t base, unsigned char byte) const {
  const uint32_t next = base ^ byte;
  // A leaf has bit 31 set, so it is nobody's child by a label.
  return (units_[next] & (kLeafBit | 0xFF)) == byte ? next : kNone;
}

PrecompiledCharsMap::Match PrecompiledCharsMap::longest_match(std::string_view text) const {
  Match match;
  if (units_.empty()) return match;
  const char* replacement = nullptr;
  uint32_t base = children(0);
  const size_t end = std::min(text.size(), kMaxRuleBytes);
  for (size_t i = 0; i < end; ++i) {
    const uint32_t unit = step(base, static_cast<unsigned char>(text[i]));
    if (unit == kNone) break;
    base = children(unit);
    if (!leaf_follows(units_[unit])) continue;
    match.length = i + 1;
    replacement = strings_.data() + (units_[base] & ~kLeafBit);
  }
  if (replacement) match.replacement = {replacement, std::strlen(replacement)};
  return match;
}

PrecompiledCharsMap::Match PrecompiledCharsMap::shortest_match(std::string_view text) const {
  if (units_.empty()) return {};
  uint32_t base = children(0);
  const size_t end = std::min(text.size(), kMaxRuleBytes);
  for (size_t i = 0; i < end; ++i) {
    const uint32_t unit = step(base, static_cast<unsigned char>(text[i]));
    if (unit == kNone) break;
    base = children(unit);
    if (!leaf_follows(units_[unit])) continue;
    const char* replacement = strings_.data() + (units_[base] & ~kLeafBit);
    return {i + 1, {replacement, std::strlen(replacement)}};
  }
  return {};
}

bool PrecompiledCharsMap::has_ascii_rule(unsigned char first) const {
  if (units_.empty()) return false;
  const uint32_t unit = step(children(0), first);
  if (unit == kNone) return false;
  if (leaf_follows(units_[unit])) return true;
  for (unsigned char second = 0; second < 0x80; ++second)
    if (step(children(unit), second) != kNone) return true;
  return false;
}

}  // namespace heed::text
