#include "heed/text/bpe.h"

#include <algorithm>
#include <functional>
#include <unordered_map>

#include "heed/base/error.h"
#include "heed/text/scratch.h"

namespace heed::text {
namespace {

constexpr uint32_t kNoRank = 0xFFFFFFFF;

// A run of characters merged so far, and the merge with its right neighbour that waits in the heap, if they join to a
// piece. Once merged into its left neighbour, it is out of the chain.
struct Symbol {
  uint32_t begin, length;
  int32_t previous, next;  // -1 at the ends
  uint32_t node;           // where its text leads in the trie, or kNone
  bool frozen;             // a user-defined symbol
  uint32_t merge_rank = kNoRank;
  uint32_t merge_node = Trie::kNone;  // where the joined text leads
};

// The heap's entries: the rank, then the left symbol's index, so that the best merge, leftmost first, is the least. An
// entry is out of date if its symbol no longer waits for a merge of this rank.
using Entry = uint64_t;
Entry make_entry(uint32_t rank, int32_t left) { return Entry{rank} << 32 | static_cast<uint32_t>(left); }

// Kept per thread, so that nothing is allocated per text.
struct Scratch {
  std::vector<Symbol> symbols;
  std::vector<Entry> heap;
  std::unordered_map<int32_t, uint32_t> unused_left;  // by id of an unused piece: the length of its left half
};
thread_local Scratch thread_scratch;

}  // namespace

Bpe::Bpe(const Pieces& pieces) : pieces_(pieces), ranks_(pieces.size(), kNoRank) {
  std::vector<int32_t> order;
  for (int32_t id = 0; id < static_cast<int32_t>(pieces.size()); ++id) {
    if (pieces.matches_text(id)) order.push_back(id);
    any_unused_ = any_unused_ || pieces[id].type == PieceType::kUnused;
  }
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return pieces[a].score > pieces[b].score; });
  uint32_t rank = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    if (i > 0 && pieces[order[i]].score != pieces[order[i - 1]].score) ++rank;
    ranks_[static_cast<size_t>(order[i])] = rank;
  }
}

// The segmentation of one text.
class Bpe::Run {
 public:
  Run(const Bpe& bpe, std::string_view text)
      : bpe_(bpe), pieces_(bpe.pieces_), trie_(pieces_.trie()), text_(text), scratch_(thread_scratch) {
    scratch_.symbols.clear();
    scratch_.heap.clear();
    scratch_.unused_left.clear();
    split_into_characters();
    for (int32_t i = 1; i < static_cast<int32_t>(scratch_.symbols.size()); ++i) propose(i - 1, i);
    std::make_heap(scratch_.heap.begin(), scratch_.heap.end(), std::greater<>());
    heaped_ = true;
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() {
    release_if_large(scratch_.symbols);
    release_if_large(scratch_.heap);
  }

  // `skip()` says whether to leave out a merge.
  template <class Skip>
  void merge_all(Skip&& skip) {
    std::vector<Entry>& heap = scratch_.heap;
    while (!heap.empty()) {
      const Entry best = heap.front();
      std::pop_heap(heap.begin(), heap.end(), std::greater<>());
      heap.pop_back();
      const auto left_index = static_cast<int32_t>(best & 0xFFFFFFFF);
      Symbol& left = symbol(left_index);
      if (left.merge_rank != static_cast<uint32_t>(best >> 32)) continue;
      left.merge_rank = kNoRank;
      if (skip()) continue;
      Symbol& right = symbol(left.next);
      left.length += right.length;
      left.node = left.merge_node;
      left.next = right.next;
      right.merge_rank = kNoRank;
      if (left.previous >= 0) propose(left.previous, left_index);
      if (left.next >= 0) {
        symbol(left.next).previous = left_index;
        propose(left_index, left.next);
      }
    }
  }

  void emit(std::vector<Segment>& out) const {
    for (int32_t i = scratch_.symbols.empty() ? -1 : 0; i >= 0; i = symbol(i).next) {
      const Symbol& s = symbol(i);
      const int32_t id = pieces_.id_at(s.node);
      if (pieces_[id].type == PieceType::kUnused) split(s.begin, s.length, id, out);
      else out.push_back({s.begin, s.length, id});
    }
  }

 private:
  Symbol& symbol(int32_t index) const { return scratch_.symbols[static_cast<size_t>(index)]; }

  void split_into_characters() {
    const bool any_symbols = !pieces_.symbols()->empty();
    for (size_t begin = 0; begin < text_.size();) {
      const std::string_view rest = text_.substr(begin);
      size_t length = any_symbols ? pieces_.symbols()->longest_prefix(rest) : 0;
      const bool frozen = length > 0;
      if (!frozen) length = character_length(rest);
      const auto index = static_cast<int32_t>(scratch_.symbols.size());
      const bool last = begin + length == text_.size();
      scratch_.symbols.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(length), index - 1,
                                  last ? -1 : index + 1, trie_.walk(Trie::kRoot, rest.substr(0, length)), frozen});
      begin += length;
    }
  }

  // Notes the merge of two neighbours and puts it in the heap if they join to a piece.
  void propose(int32_t left_index, int32_t right_index) {
    Symbol& left = symbol(left_index);
    const Symbol& right = symbol(right_index);
    left.merge_rank = kNoRank;
    if (left.frozen || right.frozen) return;
    const uint32_t node = trie_.walk(left.node, text_.substr(right.begin, right.length));
    const int32_t id = node == Trie::kNone ? -1 : trie_.value(node);
    if (id < 0 || bpe_.ranks_[static_cast<size_t>(id)] == kNoRank) return;
    left.merge_rank = bpe_.ranks_[static_cast<size_t>(id)];
    left.merge_node = node;
    scratch_.heap.push_back(make_entry(left.merge_rank, left_index));
    if (heaped_) std::push_heap(scratch_.heap.begin(), scratch_.heap.end(), std::greater<>());
    if (bpe_.any_unused_ && pieces_[id].type == PieceType::kUnused) scratch_.unused_left[id] = left.length;
  }

  // Appends what the unused piece `id` was last proposed to be merged from, down to pieces that are used. The depth is
  // at most the number of characters of a piece.
  void split(uint32_t begin, uint32_t length, int32_t id, std::vector<Segment>& out) const {
    const auto halves = scratch_.unused_left.find(id);
    if (pieces_[id].type != PieceType::kUnused || halves == scratch_.unused_left.end()) {
      out.push_back({begin, length, id});
      return;
    }
    const uint32_t left = halves->second;
    split(begin, left, pieces_.id_of_text(text_.substr(begin, left)), out);
    split(begin + left, length - left, pieces_.id_of_text(text_.substr(begin + left, length - left)), out);
  }

  const Bpe& bpe_;
  const Pieces& pieces_;
  const Trie& trie_;
  std::string_view text_;
  Scratch& scratch_;
  bool heaped_ = false;
};

void Bpe::segment(std::string_view text, std::vector<Segment>& out) const {
  Run run(*this, text);
  run.merge_all([] { return false; });
  run.emit(out);
}

void Bpe::sample(std::string_view text, const Sampling& sampling, Random& random, std::vector<Segment>& out) const {
  check<UsageError>(sampling.alpha >= 0 && sampling.alpha <= 1,
                    "sampling: expected a BPE dropout probability (alpha) of 0 to 1, got {}", sampling.alpha);
  Run run(*this, text);
  run.merge_all([&] { return random.uniform() < sampling.alpha; });
  run.emit(out);
}

}  // namespace heed::text
