#include "heed/text/bpe_trainer.h"

#include <algorithm>
#include <limits>
#include <map>
#include <unordered_map>

#include "heed/base/utf8.h"

namespace heed::text {
namespace {

constexpr uint32_t kNone = 0xFFFFFFFF;

using Pair = uint64_t;  // left id << 32 | right id: sorts by left, then right
Pair make_pair_of(uint32_t left, uint32_t right) { return Pair{left} << 32 | right; }

// A pair with words that it stands in. A pair may have several, for words it came to later.
struct Candidate {
  int64_t count;
  Pair pair;
  std::vector<uint32_t> words;  // ascending
};

bool comes_later(const Candidate& a, const Candidate& b) {
  return a.count != b.count ? a.count < b.count : a.pair > b.pair;
}

class Trainer {
 public:
  Trainer(std::span<const WordCount> words, const BpeTrainOptions& options) : options_(options) {
    for (const std::string& token : options.special_tokens) id_of(token);
    const std::u32string alphabet = train_alphabet(words, options.limit_alphabet, options.initial_alphabet);
    for (const char32_t c : alphabet) id_of(from_code_points(std::u32string_view(&c, 1)));
    cut(words, alphabet);
    count_pairs();
  }

  BpeVocabulary run() {
    while (vocabulary_.tokens.size() < options_.vocab_size && !heap_.empty()) {
      Candidate top = pop();
      const int64_t count = pairs_[top.pair].count;
      if (top.count != count) {  // it has changed since; it may come later now
        if (count > 0) push({count, top.pair, std::move(top.words)});
        continue;
      }
      if (static_cast<uint64_t>(top.count) < options_.min_frequency) break;
      merge(top);
      if (options_.progress) options_.progress(vocabulary_.tokens.size(), options_.vocab_size);
    }
    keep_last_ranks();
    return std::move(vocabulary_);
  }

 private:
  struct PairState {
    int64_t count = 0;
    std::vector<uint32_t> fresh;  // words that no candidate has yet
  };

  uint32_t id_of(const std::string& token) {
    const auto [found, is_new] = ids_.emplace(token, static_cast<uint32_t>(vocabulary_.tokens.size()));
    if (is_new) vocabulary_.tokens.push_back(token);
    return found->second;
  }

  // Words as ids of characters; characters outside of the alphabet vanish.
  void cut(std::span<const WordCount> words, const std::u32string& alphabet) {
    std::map<char32_t, uint32_t> first, next;
    for (const char32_t c : alphabet) first[c] = id_of(from_code_points(std::u32string_view(&c, 1)));
    if (options_.continuing_prefix.empty()) next = first;
    else {
      for (const WordCount& word : words)
        for (std::string_view rest = tail(word.first); !rest.empty(); rest = tail(rest))
          if (const char32_t c = decode_utf8(rest).value; first.contains(c)) next[c] = kNone;
      for (auto& [c, id] : next) id = id_of(options_.continuing_prefix + from_code_points(std::u32string_view(&c, 1)));
    }
    for (const auto& [word, count] : words) {
      std::vector<uint32_t> symbols;
      bool begins = true;
      for (std::string_view rest = word; !rest.empty(); rest = tail(rest), begins = false) {
        const auto& ids = begins ? first : next;
        if (const auto found = ids.find(decode_utf8(rest).value); found != ids.end()) symbols.push_back(found->second);
      }
      words_.push_back(std::move(symbols));
      counts_.push_back(static_cast<int64_t>(count));
    }
  }

  static std::string_view tail(std::string_view text) { return text.substr(decode_utf8(text).length); }

  void change(Pair pair, uint32_t word, int64_t sign) {
    PairState& state = pairs_[pair];
    state.count += sign * counts_[word];
    if (sign < 0) return;
    if (state.fresh.empty()) touched_.push_back(pair);
    if (state.fresh.empty() || state.fresh.back() != word) state.fresh.push_back(word);
  }

  void count_pairs() {
    for (uint32_t word = 0; word < words_.size(); ++word)
      for (size_t i = 0; i + 1 < words_[word].size(); ++i)
        change(make_pair_of(words_[word][i], words_[word][i + 1]), word, 1);
    push_touched();
  }

  void push_touched() {
    for (const Pair pair : touched_) {
      PairState& state = pairs_[pair];
      if (state.count > 0) push({state.count, pair, std::exchange(state.fresh, {})});
      else state.fresh.clear();
    }
    touched_.clear();
  }

  void push(Candidate candidate) {
    heap_.push_back(std::move(candidate));
    std::push_heap(heap_.begin(), heap_.end(), comes_later);
  }

  Candidate pop() {
    std::pop_heap(heap_.begin(), heap_.end(), comes_later);
    Candidate top = std::move(heap_.back());
    heap_.pop_back();
    return top;
  }

  void merge(const Candidate& top) {
    const auto left = static_cast<uint32_t>(top.pair >> 32), right = static_cast<uint32_t>(top.pair);
    std::string_view tail_text = vocabulary_.tokens[right];
    if (!options_.continuing_prefix.empty() && tail_text.starts_with(options_.continuing_prefix))
      tail_text.remove_prefix(options_.continuing_prefix.size());
    std::string text = vocabulary_.tokens[left];
    text += tail_text;
    const uint32_t merged = id_of(text);
    vocabulary_.merges.emplace_back(left, right);
    for (const uint32_t word : top.words) merge_in(word, left, right, merged);
    push_touched();
  }

  void merge_in(uint32_t word, uint32_t left, uint32_t right, uint32_t merged) {
    std::vector<uint32_t>& symbols = words_[word];
    size_t out = 0;
    for (size_t in = 0; in < symbols.size(); ++out) {
      const bool found = symbols[in] == left && in + 1 < symbols.size() && symbols[in + 1] == right;
      if (!found) {
        symbols[out] = symbols[in++];
        continue;
      }
      in += 2;
      if (out > 0) {
        change(make_pair_of(symbols[out - 1], left), word, -1);
        change(make_pair_of(symbols[out - 1], merged), word, 1);
      }
      if (in < symbols.size()) {
        change(make_pair_of(right, symbols[in]), word, -1);
        change(make_pair_of(merged, symbols[in]), word, 1);
      }
      symbols[out] = merged;
    }
    symbols.resize(out);
  }

  // A pair that was merged twice (it came to be again through a token made in two ways) counts where it was last.
  void keep_last_ranks() {
    std::unordered_map<Pair, size_t> last;
    auto& merges = vocabulary_.merges;
    for (size_t i = 0; i < merges.size(); ++i) last[make_pair_of(merges[i].first, merges[i].second)] = i;
    size_t out = 0;
    for (size_t i = 0; i < merges.size(); ++i)
      if (last[make_pair_of(merges[i].first, merges[i].second)] == i) merges[out++] = merges[i];
    merges.resize(out);
  }

  const BpeTrainOptions& options_;
  BpeVocabulary vocabulary_;
  std::unordered_map<std::string, uint32_t> ids_;
  std::vector<std::vector<uint32_t>> words_;
  std::vector<int64_t> counts_;
  std::unordered_map<Pair, PairState> pairs_;
  std::vector<Pair> touched_;  // pairs with fresh words
  std::vector<Candidate> heap_;
};

}  // namespace

std::u32string train_alphabet(std::span<const WordCount> words, size_t limit, const std::u32string& always) {
  std::map<char32_t, uint64_t> counts;
  for (const auto& [word, count] : words)
    for (const char32_t c : to_code_points(word)) counts[c] += count;
  for (const char32_t c : always) counts[c] = std::numeric_limits<uint64_t>::max();
  std::vector<std::pair<char32_t, uint64_t>> kept(counts.begin(), counts.end());
  if (limit > 0 && kept.size() > limit) {
    std::stable_sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    kept.resize(limit);
    std::sort(kept.begin(), kept.end());
  }
  std::u32string alphabet;
  for (const auto& entry : kept) alphabet += entry.first;
  return alphabet;
}

BpeVocabulary train_bpe(std::span<const WordCount> words, const BpeTrainOptions& options) {
  return Trainer(words, options).run();
}

}  // namespace heed::text
