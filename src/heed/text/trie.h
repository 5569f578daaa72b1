// A trie over byte strings, stored as a double array: the child of `node` by `byte` is the unit `base(node) ^ byte`,
// and it is that child exactly if its stored parent is `node`. One step is one memory access, whatever the number of
// keys. (Aoe, "An Efficient Digital Search Algorithm by Using a Double-Array Structure", 1989; the exclusive-or form
// keeps the children of a node within one block of 256 units, so no step can leave the array.)
//
// Immutable after construction, hence thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace heed::text {

class Trie {
 public:
  struct Entry {
    std::string_view key;
    int32_t value;
  };

  static constexpr uint32_t kRoot = 0;
  static constexpr uint32_t kNone = 0xFFFFFFFF;  // what step() returns where there is no child

  // Without keys: matches nothing.
  Trie() : Trie(std::vector<Entry>()) {}

  // Keys are not empty and all different, values not negative. Time and memory are linear in the bytes of the keys.
  explicit Trie(std::vector<Entry> entries);

  // The child of `node` (which is not kNone) by `byte`, or kNone.
  uint32_t step(uint32_t node, unsigned char byte) const {
    const uint32_t next = units_[node].base ^ byte;
    return units_[next].parent == node ? next : kNone;
  }

  // The value of the key that ends at `node`, or -1.
  int32_t value(uint32_t node) const { return units_[node].value; }

  // The node reached from `node` by all bytes of `text`, or kNone. `node` may be kNone.
  uint32_t walk(uint32_t node, std::string_view text) const {
    for (size_t i = 0; i < text.size() && node != kNone; ++i) node = step(node, static_cast<unsigned char>(text[i]));
    return node;
  }

  // The value of `key`, or -1.
  int32_t find(std::string_view key) const {
    const uint32_t node = walk(kRoot, key);
    return node == kNone ? -1 : value(node);
  }

  // The length of the longest key that `text` begins with, or 0.
  size_t longest_prefix(std::string_view text) const;

  bool empty() const { return keys_ == 0; }
  size_t bytes() const { return units_.size() * sizeof(Unit); }

 private:
  friend class TrieBuilder;
  struct Unit {
    uint32_t base = 0;
    uint32_t parent = kNone;
    int32_t value = -1;
  };
  std::vector<Unit> units_;  // a multiple of 256
  size_t keys_ = 0;
};

}  // namespace heed::text
