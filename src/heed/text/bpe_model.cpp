// The BPE model of tokenizer.json: characters are merged pair by pair, the pair that stands first in the list of merges
// first, from left to right. Short words look through their pairs; long ones keep them in a heap (n log n). (Sennrich,
// Haddow and Birch, "Neural Machine Translation of Rare Words with Subword Units", ACL 2016.)
#include <algorithm>
#include <array>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "heed/base/utf8.h"
#include "heed/text/character_class.h"
#include "heed/text/pieces.h"
#include "heed/text/scratch.h"
#include "heed/text/token_model.h"

namespace heed::text::pipeline {
namespace {

constexpr uint32_t kNoRank = 0xFFFFFFFF;
constexpr size_t kShortWord = 40;  // symbols; above, a heap pays

// Pairs of ids to the merge's rank and result: an open hash table, at most half full.
class MergeTable {
 public:
  struct Slot {
    uint64_t pair = ~uint64_t{0};
    uint32_t rank = kNoRank;
    int32_t id = -1;
  };

  explicit MergeTable(size_t merges = 0) {
    size_t size = 16;
    while (size < 2 * merges + 2) size *= 2;
    slots_.resize(size);
  }

  void set(int32_t left, int32_t right, uint32_t rank, int32_t id) {
    Slot& slot = const_cast<Slot&>(find(left, right));
    slot = {key(left, right), rank, id};
  }

  // The slot of the pair; its rank is kNoRank if they do not merge.
  const Slot& find(int32_t left, int32_t right) const {
    const uint64_t wanted = key(left, right);
    const size_t mask = slots_.size() - 1;
    size_t at = static_cast<size_t>((wanted * 0x9E3779B97F4A7C15) >> 32) & mask;
    while (slots_[at].pair != wanted && slots_[at].rank != kNoRank) at = (at + 1) & mask;
    return slots_[at];
  }

 private:
  static uint64_t key(int32_t left, int32_t right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
  }
  std::vector<Slot> slots_;
};

struct Symbol {
  int32_t id;
  uint32_t length;  // bytes; 0: merged into the one before
  int32_t previous, next;
};

struct HeapEntry {
  uint32_t rank;
  int32_t left;  // the left symbol
  int32_t id;    // what the two become
  bool operator>(const HeapEntry& other) const { return rank != other.rank ? rank > other.rank : left > other.left; }
};

class BpeModel : public Model {
 public:
  explicit BpeModel(const JsonPart& part) {
    if (part.has("dropout") && part.at("dropout").number() != 0)
      part.at("dropout").refuse("no dropout, which makes ids random");
    if (part.has("continuing_subword_prefix")) prefix_ = part.string("continuing_subword_prefix");
    if (part.has("end_of_word_suffix")) suffix_ = part.string("end_of_word_suffix");
    fuse_unk_ = part.boolean("fuse_unk", false);
    byte_fallback_ = part.boolean("byte_fallback", false);
    ignore_merges_ = part.boolean("ignore_merges", false);
    vocabulary_ = read_vocabulary(part.at("vocab"));
    if (part.has("unk_token")) {
      unk_token_ = part.string("unk_token");
      unk_ = vocabulary_.id(unk_token_).value_or(-1);
    }
    read_merges(part.at("merges"));
    read_characters();
  }

  bool allows_clean_up() const override { return false; }

  void write(Json& model) const override {
    Model::write(model);
    Json merges = Json::array();
    for (const auto& [left, right] : merges_)
      merges.push_back(Json::array({*vocabulary_.token(left), *vocabulary_.token(right)}));
    model["merges"] = std::move(merges);
  }

 protected:
  void segment(std::string_view word, uint32_t offset, std::vector<Token>& out) const override {
    if (ignore_merges_)
      if (const auto id = vocabulary_.id(word))
        return out.push_back({*id, offset, static_cast<uint32_t>(offset + word.size())});
    thread_local std::vector<Symbol> symbols;
    split_into_characters(word, symbols);
    if (symbols.size() <= kShortWord) merge_short(symbols);
    else merge_long(symbols);
    for (const Symbol& symbol : symbols) {
      if (symbol.length == 0) continue;
      out.push_back({symbol.id, offset, offset + symbol.length});
      offset += symbol.length;
    }
    release_if_large(symbols);
  }

  // Where no merge joins U+2581 to what stands before it, words can be merged one by one.
  void tokenize_long(std::string_view piece, std::vector<Token>& out) const override {
    if (!words_are_apart_) return segment(piece, 0, out);
    for (size_t begin = 0; begin < piece.size();) {
      size_t end = begin;
      while (piece.substr(end).starts_with(kSpaceSymbol)) end += kSpaceSymbol.size();
      end = std::min(piece.find(kSpaceSymbol, end), piece.size());
      tokenize_word(piece.substr(begin, end - begin), static_cast<uint32_t>(begin), out);
      begin = end;
    }
  }

 private:
  void read_merges(const JsonPart& part) {
    const size_t size = part.array().size();
    table_ = MergeTable(size);
    words_are_apart_ = prefix_.empty() && suffix_.empty() && !ignore_merges_ && vocabulary_.id(kSpaceSymbol);
    uint32_t rank = 0;
    std::string joined;
    for (size_t i = 0; i < size; ++i) {
      const JsonPart merge = part.item(i);
      std::string_view left, right;
      if (merge.value().is_string()) {
        const std::string_view text = merge.string();
        if (text.starts_with("#version")) continue;
        const size_t space = text.find(' ');
        if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos)
          merge.refuse("two tokens with one space between them");
        left = text.substr(0, space);
        right = text.substr(space + 1);
      } else {
        if (merge.array().size() != 2) merge.refuse("two tokens");
        left = merge.item(0).string();
        right = merge.item(1).string();
      }
      if (!right.starts_with(prefix_) && right.size() < prefix_.size()) merge.refuse("a right token with the prefix");
      joined.assign(left).append(right.substr(prefix_.size()));
      const auto id = [&](std::string_view token) {
        const auto found = vocabulary_.id(token);
        check<FormatError>(found.has_value(), "{}: the vocabulary has no token \"{}\"", merge.where(), token);
        return *found;
      };
      const int32_t left_id = id(left), right_id = id(right);
      table_.set(left_id, right_id, rank++, id(joined));
      merges_.emplace_back(left_id, right_id);
      words_are_apart_ =
          words_are_apart_ && !(right.starts_with(kSpaceSymbol) && !left.empty() && !left.ends_with(kSpaceSymbol));
    }
  }

  void read_characters() {
    characters_.fill(-1);
    std::string text;
    for (char32_t c = 0; c < characters_.size(); ++c) {
      text.clear();
      append_utf8(text, c);
      characters_[c] = vocabulary_.id(text).value_or(-1);
    }
    for (size_t b = 0; b < 256; ++b) bytes_[b] = vocabulary_.id(byte_token(static_cast<unsigned char>(b))).value_or(-1);
  }

  // The id of one character, as the word's first or last, or -1. `spelled` is how the vocabulary would spell it.
  int32_t id_of(std::string_view text, bool first, bool last, std::string_view& spelled) const {
    spelled = text;
    const bool has_prefix = !first && !prefix_.empty(), has_suffix = last && !suffix_.empty();
    if (!has_prefix && !has_suffix) {
      const char32_t c = utf8_at(text, 0);
      return c < characters_.size() ? characters_[c] : vocabulary_.id(text).value_or(-1);
    }
    thread_local std::string longer;
    longer.clear();
    if (has_prefix) longer += prefix_;
    longer += text;
    if (has_suffix) longer += suffix_;
    spelled = longer;
    return vocabulary_.id(spelled).value_or(-1);
  }

  static void add(std::vector<Symbol>& symbols, int32_t id, uint32_t length) {
    const auto index = static_cast<int32_t>(symbols.size());
    if (index > 0) symbols.back().next = index;
    symbols.push_back({id, length, index - 1, -1});
  }

  void split_into_characters(std::string_view word, std::vector<Symbol>& symbols) const {
    symbols.clear();
    uint32_t unknown = 0;  // bytes of unknown text that waits to be added
    const auto add_unknown = [&] {
      if (unknown > 0) add(symbols, unk_, unknown);
      unknown = 0;
    };
    for (size_t at = 0; at < word.size();) {
      const size_t length = utf8_length(word[at]);
      std::string_view spelled;
      const int32_t id = id_of(word.substr(at, length), at == 0, at + length == word.size(), spelled);
      at += length;
      if (id >= 0) {
        add_unknown();
        add(symbols, id, static_cast<uint32_t>(length));
        continue;
      }
      const auto has_byte = [&](char c) { return bytes_[static_cast<unsigned char>(c)] >= 0; };
      if (byte_fallback_ && std::all_of(spelled.begin(), spelled.end(), has_byte)) {
        // What is unknown before stays behind, as in `tokenizers`.
        for (const char c : spelled) add(symbols, bytes_[static_cast<unsigned char>(c)], 1);
        continue;
      }
      if (unk_token_.empty()) continue;  // such text is left out
      check<DataError>(unk_ >= 0, "the tokenizer's vocabulary lacks its unknown token \"{}\"", unk_token_);
      if (!fuse_unk_) add_unknown();
      unknown += static_cast<uint32_t>(length);
    }
    add_unknown();
  }

  void merge_short(std::vector<Symbol>& symbols) const {
    std::array<const MergeTable::Slot*, kShortWord> merges;  // of each symbol with the next
    size_t count = symbols.size();
    for (size_t i = 0; i + 1 < count; ++i) merges[i] = &table_.find(symbols[i].id, symbols[i + 1].id);
    for (;;) {
      size_t best = 0;
      uint32_t rank = kNoRank;
      for (size_t i = 0; i + 1 < count; ++i)
        if (merges[i]->rank < rank) rank = merges[i]->rank, best = i;
      if (rank == kNoRank) break;
      symbols[best].id = merges[best]->id;
      symbols[best].length += symbols[best + 1].length;
      for (size_t i = best + 1; i + 1 < count; ++i) {
        symbols[i] = symbols[i + 1];
        merges[i] = merges[i + 1];
      }
      --count;
      if (best > 0) merges[best - 1] = &table_.find(symbols[best - 1].id, symbols[best].id);
      if (best + 1 < count) merges[best] = &table_.find(symbols[best].id, symbols[best + 1].id);
    }
    symbols.resize(count);
  }

  void merge_long(std::vector<Symbol>& symbols) const {
    thread_local std::vector<HeapEntry> heap;
    heap.clear();
    const auto symbol = [&](int32_t i) -> Symbol& { return symbols[static_cast<size_t>(i)]; };
    const auto merge_at = [&](int32_t left) -> const MergeTable::Slot& {
      return table_.find(symbol(left).id, symbol(symbol(left).next).id);
    };
    for (int32_t i = 0; i + 1 < static_cast<int32_t>(symbols.size()); ++i)
      if (const auto& merge = merge_at(i); merge.rank != kNoRank) heap.push_back({merge.rank, i, merge.id});
    std::make_heap(heap.begin(), heap.end(), std::greater<>());
    const auto propose = [&](int32_t left) {
      const auto& merge = merge_at(left);
      if (merge.rank == kNoRank) return;
      heap.push_back({merge.rank, left, merge.id});
      std::push_heap(heap.begin(), heap.end(), std::greater<>());
    };
    while (!heap.empty()) {
      const HeapEntry top = heap.front();
      std::pop_heap(heap.begin(), heap.end(), std::greater<>());
      heap.pop_back();
      Symbol& left = symbol(top.left);
      // An entry is out of date if either symbol has been merged since.
      if (left.length == 0 || left.next < 0) continue;
      if (const auto& merge = merge_at(top.left); merge.rank == kNoRank || merge.id != top.id) continue;
      Symbol& right = symbol(left.next);
      left.id = top.id;
      left.length += right.length;
      left.next = right.next;
      right.length = 0;
      if (left.next >= 0) symbol(left.next).previous = top.left;
      if (left.previous >= 0) propose(left.previous);
      if (left.next >= 0) propose(top.left);
    }
    release_if_large(heap);
  }

  std::string prefix_, suffix_, unk_token_;
  int32_t unk_ = -1;
  bool fuse_unk_ = false, byte_fallback_ = false, ignore_merges_ = false, words_are_apart_ = false;
  MergeTable table_;
  std::vector<std::pair<int32_t, int32_t>> merges_;
  std::array<int32_t, 0x800> characters_{};  // ids of the characters of one or two bytes, or -1
  std::array<int32_t, 256> bytes_{};         // ids of the bytes' tokens, or -1
};

}  // namespace

std::unique_ptr<Model> make_bpe(const JsonPart& part) { return std::make_unique<BpeModel>(part); }

}  // namespace heed::text::pipeline
