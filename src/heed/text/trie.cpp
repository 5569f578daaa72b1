#include "heed/text/trie.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace heed::text {

// Places the nodes of the sorted keys one by one: finds a base whose units are free for all children of a node.
class TrieBuilder {
 public:
  TrieBuilder(Trie& trie, const std::vector<Trie::Entry>& entries) : trie_(trie), entries_(entries) {
    add_block();
    take(Trie::kRoot);
  }

  void build() {
    // A stack of our own, because a key may be as long as its file allows.
    std::vector<Range> pending;
    if (!entries_.empty()) pending.push_back({Trie::kRoot, 0, entries_.size(), 0});
    while (!pending.empty()) {
      const Range range = pending.back();
      pending.pop_back();
      place(range, pending);
    }
  }

 private:
  // The keys [begin, end) share their first `depth` bytes, which lead to `node`.
  struct Range {
    uint32_t node;
    size_t begin, end, depth;
  };

  // Which of 256 units are free.
  struct Block {
    uint32_t index;
    uint64_t free[4];
    bool is_free(uint32_t slot) const { return free[slot >> 6] >> (slot & 63) & 1; }
    bool full() const { return (free[0] | free[1] | free[2] | free[3]) == 0; }
  };

  // Blocks that are searched for room. A larger window packs tighter and builds slower; 16 wastes a few percent.
  static constexpr size_t kOpenBlocks = 16;

  unsigned char byte_at(size_t entry, size_t depth) const {
    return static_cast<unsigned char>(entries_[entry].key[depth]);
  }

  void place(Range range, std::vector<Range>& pending) {
    const auto [node, begin, end, depth] = range;
    size_t first = begin;
    if (entries_[first].key.size() == depth) trie_.units_[node].value = entries_[first++].value;
    if (first == end) return;
    labels_.clear();
    for (size_t i = first; i < end; ++i) {
      assert(entries_[i].key.size() > depth && "keys must differ");
      if (labels_.empty() || labels_.back() != byte_at(i, depth)) labels_.push_back(byte_at(i, depth));
    }
    const uint32_t base = find_base();
    trie_.units_[node].base = base;
    for (const unsigned char label : labels_) {
      take(base ^ label);
      trie_.units_[base ^ label].parent = node;
    }
    retire_full_blocks();
    for (size_t i = first; i < end;) {
      const unsigned char label = byte_at(i, depth);
      size_t next = i + 1;
      while (next < end && byte_at(next, depth) == label) ++next;
      pending.push_back({base ^ label, i, next, depth + 1});
      i = next;
    }
  }

  // A base at which the unit of every label is free.
  uint32_t find_base() {
    for (const Block& block : open_) {
      for (uint32_t word = 0; word < 4; ++word) {
        for (uint64_t bits = block.free[word]; bits != 0; bits &= bits - 1) {
          const uint32_t slot = word * 64 + static_cast<uint32_t>(std::countr_zero(bits));
          const uint32_t base = slot ^ labels_[0];
          const auto fits = [&](unsigned char label) { return block.is_free(base ^ label); };
          if (std::all_of(labels_.begin() + 1, labels_.end(), fits)) return block.index * 256 + base;
        }
      }
    }
    return add_block();
  }

  // Appends 256 free units; returns the first one's index.
  uint32_t add_block() {
    const auto first = static_cast<uint32_t>(trie_.units_.size());
    trie_.units_.resize(first + 256);
    if (open_.size() == kOpenBlocks) open_.erase(open_.begin());
    open_.push_back({first / 256, {~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}}});
    return first;
  }

  void take(uint32_t unit) {
    for (Block& block : open_)
      if (block.index == unit / 256) block.free[unit % 256 >> 6] &= ~(uint64_t{1} << (unit & 63));
  }

  void retire_full_blocks() {
    std::erase_if(open_, [](const Block& block) { return block.full(); });
  }

  Trie& trie_;
  const std::vector<Trie::Entry>& entries_;
  std::vector<Block> open_;
  std::vector<unsigned char> labels_;
};

Trie::Trie(std::vector<Entry> entries) : keys_(entries.size()) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.key < b.key; });
  assert((entries.empty() || !entries.front().key.empty()) && "keys must not be empty");
  TrieBuilder(*this, entries).build();
}

size_t Trie::longest_prefix(std::string_view text) const {
  size_t longest = 0;
  uint32_t node = kRoot;
  for (size_t i = 0; i < text.size(); ++i) {
    node = step(node, static_cast<unsigned char>(text[i]));
    if (node == kNone) break;
    if (value(node) >= 0) longest = i + 1;
  }
  return longest;
}

}  // namespace heed::text
