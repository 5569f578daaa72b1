#include "heed/text/unigram_trainer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "heed/base/utf8.h"
#include "heed/text/trie.h"

namespace heed::text {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();
constexpr double kRarestCount = 0.5;  // pieces expected less often are dropped (the prior of the variational M-step)

using Scored = std::pair<std::string, double>;

double log_add(double a, double b) {
  if (a == kNever) return b;
  if (b == kNever) return a;
  return std::max(a, b) + std::log1p(std::exp(-std::abs(a - b)));
}

// The derivative of log Γ, by its recurrence and asymptotic series.
double digamma(double x) {
  double result = 0;
  for (; x < 7; ++x) result -= 1 / x;
  x -= 0.5;
  const double xx = 1 / x, xx2 = xx * xx, xx4 = xx2 * xx2;
  return result + std::log(x) + xx2 / 24 - 7.0 / 960 * xx4 + 31.0 / 8064 * xx4 * xx2 - 127.0 / 30720 * xx4 * xx4;
}

bool is_character(std::string_view piece) { return decode_utf8(piece).length == piece.size(); }

bool better(const Scored& a, const Scored& b) { return a.second != b.second ? a.second > b.second : a.first < b.first; }

// Substrings of words that occur often, each with its count times its length: those that no longer substring always
// extends to the right. By a sorted list of all beginnings.
class Seeds {
 public:
  Seeds(std::span<const WordCount> words, const UnigramTrainOptions& options) : words_(words), options_(options) {
    for (uint32_t word = 0; word < words.size(); ++word) {
      const std::string& text = words[word].first;
      for (uint32_t at = 0; at < text.size(); at += decode_utf8(std::string_view(text).substr(at)).length)
        places_.push_back({word, at});
    }
    std::sort(places_.begin(), places_.end(), [&](const Place& a, const Place& b) {
      const int order = text_at(a).compare(text_at(b));
      return order != 0 ? order < 0 : a.word < b.word;
    });
  }

  std::vector<Scored> find() {
    // Prefixes that the beginnings so far share, each longer than the one before, with how often they occurred.
    struct Open {
      size_t bytes;
      uint64_t count;
    };
    std::vector<Open> open;
    size_t shared_before = 0;
    for (size_t i = 0; i <= places_.size(); ++i) {
      const size_t shared = i == 0 || i == places_.size() ? 0 : common(text_at(places_[i - 1]), text_at(places_[i]));
      uint64_t count = i == 0 ? 0 : words_[places_[i - 1].word].second;
      // A beginning that stands alone with all it has; its parts occur no more often unless they are shared.
      if (i > 0) {
        const std::string_view whole = text_at(places_[i - 1]);
        const size_t bytes = common(whole, whole);
        if (bytes > std::max(shared, shared_before)) take(whole.substr(0, bytes), count);
      }
      shared_before = shared;
      while (!open.empty() && open.back().bytes > shared) {
        count += open.back().count;
        take(text_at(places_[i - 1]).substr(0, open.back().bytes), count);
        open.pop_back();
      }
      if (!open.empty() && open.back().bytes == shared) open.back().count += count;
      else if (shared > 0) open.push_back({shared, count});
    }
    std::sort(found_.begin(), found_.end(), better);
    if (found_.size() > options_.seeds) found_.resize(options_.seeds);
    return std::move(found_);
  }

 private:
  struct Place {
    uint32_t word, at;
  };

  std::string_view text_at(const Place& place) const {
    return std::string_view(words_[place.word].first).substr(place.at);
  }

  // The bytes of the characters that both begin with, at most the longest piece's.
  size_t common(std::string_view a, std::string_view b) const {
    size_t bytes = 0;
    for (size_t characters = 0; characters < options_.max_piece_length && bytes < std::min(a.size(), b.size());
         ++characters) {
      const size_t length = decode_utf8(a.substr(bytes)).length;
      if (a.substr(bytes, length) != b.substr(bytes, length)) break;
      bytes += length;
    }
    return bytes;
  }

  void take(std::string_view piece, uint64_t count) {
    if (is_character(piece) || count < options_.min_frequency) return;
    const auto length = static_cast<double>(to_code_points(piece).size());
    found_.emplace_back(piece, static_cast<double>(count) * length);
  }

  std::span<const WordCount> words_;
  const UnigramTrainOptions& options_;
  std::vector<Place> places_;
  std::vector<Scored> found_;
};

class Trainer {
 public:
  Trainer(std::span<const WordCount> words, const UnigramTrainOptions& options) : words_(words), options_(options) {
    const std::u32string alphabet = train_alphabet(words, options.limit_alphabet, {});
    std::vector<std::pair<char32_t, double>> counts;
    for (const char32_t c : alphabet) counts.emplace_back(c, 0);
    for (const auto& [word, count] : words)
      for (const char32_t c : to_code_points(word)) {
        const auto at = std::lower_bound(counts.begin(), counts.end(), std::pair<char32_t, double>(c, 0));
        if (at != counts.end() && at->first == c) at->second += static_cast<double>(count);
      }
    for (const auto& [c, count] : counts) pieces_.emplace_back(from_code_points(std::u32string_view(&c, 1)), count);
    characters_ = pieces_.size();
    for (Scored& seed : Seeds(words, options).find()) {
      // Substrings with a character that is not in the alphabet are no pieces.
      const std::u32string text = to_code_points(seed.first);
      const bool known = std::all_of(text.begin(), text.end(), [&](char32_t c) {
        return std::binary_search(alphabet.begin(), alphabet.end(), c);
      });
      if (known) pieces_.push_back(std::move(seed));
    }
    double sum = 0;
    for (const Scored& piece : pieces_) sum += piece.second;
    for (Scored& piece : pieces_) piece.second = std::log(piece.second) - std::log(sum);
    index();
  }

  std::vector<Scored> run() {
    const size_t wanted = std::max(options_.vocab_size, characters_);
    const auto enough = static_cast<size_t>(1.1 * static_cast<double>(wanted));
    const size_t begin = pieces_.size();
    while (true) {
      for (int i = 0; i < options_.iterations; ++i) maximise(expected());
      if (options_.progress) options_.progress(begin - std::min(begin, pieces_.size()), begin);
      if (pieces_.size() <= enough) break;
      const size_t before = pieces_.size();
      prune(enough);
      if (pieces_.size() == before) break;
    }
    return chosen(wanted);
  }

 private:
  void index() {
    std::vector<Trie::Entry> entries;
    for (size_t i = 0; i < pieces_.size(); ++i) entries.push_back({pieces_[i].first, static_cast<int32_t>(i)});
    trie_ = Trie(std::move(entries));
    const auto lowest = std::min_element(pieces_.begin(), pieces_.end(),
                                         [](const Scored& a, const Scored& b) { return a.second < b.second; });
    unknown_ = (lowest == pieces_.end() ? 0 : lowest->second) - 10;
  }

  // Calls visit(end, id) for each piece that begins at `at`, and with id -1 for a character that is none.
  template <class Visit>
  void for_each_piece(std::string_view word, size_t at, Visit&& visit) const {
    const size_t first = decode_utf8(word.substr(at)).length;
    bool covered = false;
    uint32_t node = Trie::kRoot;
    for (size_t end = at; end < word.size();) {
      node = trie_.step(node, static_cast<unsigned char>(word[end++]));
      if (node == Trie::kNone) break;
      if (const int32_t id = trie_.value(node); id >= 0) {
        covered = covered || end == at + first;
        visit(end, id);
      }
    }
    if (!covered) visit(at + first, -1);
  }

  double score(int32_t id) const { return id < 0 ? unknown_ : pieces_[static_cast<size_t>(id)].second; }

  // How often each piece is expected in the text, over all segmentations (forward and backward sums).
  std::vector<double> expected() const {
    std::vector<double> counts(pieces_.size(), 0), forward, backward;
    for (const auto& [word, count] : words_) {
      forward.assign(word.size() + 1, kNever);
      backward.assign(word.size() + 1, kNever);
      forward[0] = backward[word.size()] = 0;
      for (size_t at = 0; at < word.size(); ++at)
        if (forward[at] != kNever)
          for_each_piece(
              word, at, [&](size_t end, int32_t id) { forward[end] = log_add(forward[end], forward[at] + score(id)); });
      for (size_t at = word.size(); at-- > 0;)
        if (forward[at] != kNever)
          for_each_piece(word, at, [&](size_t end, int32_t id) {
            backward[at] = log_add(backward[at], backward[end] + score(id));
          });
      const double all = forward[word.size()];
      const auto times = static_cast<double>(count);
      for (size_t at = 0; at < word.size(); ++at)
        if (forward[at] != kNever)
          for_each_piece(word, at, [&](size_t end, int32_t id) {
            if (id < 0) return;
            const double share = std::exp(forward[at] + score(id) + backward[end] - all);
            counts[static_cast<size_t>(id)] += share * times;
          });
    }
    return counts;
  }

  // New probabilities; characters stay, other pieces only if they are expected often enough.
  void maximise(const std::vector<double>& counts) {
    std::vector<Scored> kept;
    double sum = 0;
    for (size_t i = 0; i < pieces_.size(); ++i) {
      if (i >= characters_ && counts[i] < kRarestCount) continue;
      const double count = std::max(counts[i], kRarestCount);
      sum += count;
      kept.emplace_back(std::move(pieces_[i].first), count);
    }
    for (Scored& piece : kept) piece.second = digamma(piece.second) - digamma(sum);
    pieces_ = std::move(kept);
    index();
  }

  // The ids of the best segmentation, last piece first; `banned` is not among them.
  double best(std::string_view word, int32_t banned, std::vector<int32_t>& ids) const {
    struct Step {
      double score = kNever;
      size_t begin = 0;
      int32_t id = -1;
    };
    thread_local std::vector<Step> steps;
    steps.assign(word.size() + 1, {});
    steps[0].score = 0;
    for (size_t at = 0; at < word.size(); ++at) {
      if (steps[at].score == kNever) continue;
      for_each_piece(word, at, [&](size_t end, int32_t id) {
        const double sum = steps[at].score + score(id);
        if ((id < 0 || id != banned) && sum > steps[end].score) steps[end] = {sum, at, id};
      });
    }
    ids.clear();
    for (size_t at = word.size(); at > 0; at = steps[at].begin) ids.push_back(steps[at].id);
    return steps[word.size()].score;
  }

  // Drops the pieces that are missed the least: those whose text is better cut anyway, and of the others the ones that
  // lose the least likelihood when their next best segmentation stands for them.
  void prune(size_t enough) {
    std::vector<double> used(pieces_.size(), 0);
    std::vector<int32_t> ids;
    for (const auto& [word, count] : words_) {
      best(word, -1, ids);
      for (const int32_t id : ids)
        if (id >= 0) used[static_cast<size_t>(id)] += static_cast<double>(count);
    }
    const double total = std::accumulate(used.begin(), used.end(), 0.0);
    std::vector<std::pair<double, size_t>> losses;
    for (size_t i = characters_; i < pieces_.size(); ++i) {
      if (used[i] == 0 || best(pieces_[i].first, static_cast<int32_t>(i), ids) > pieces_[i].second) continue;
      const double with = std::log(used[i]) - std::log(total);
      const double total_without = total + used[i] * (static_cast<double>(ids.size()) - 1);
      double without = 0;
      for (const int32_t id : ids)
        without += std::log((id < 0 ? 0 : used[static_cast<size_t>(id)]) + used[i]) - std::log(total_without);
      losses.emplace_back(used[i] * (with - without), i);
    }
    std::sort(losses.begin(), losses.end(), [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    const auto shrunk = static_cast<size_t>(options_.shrinking_factor * static_cast<double>(pieces_.size()));
    const size_t room = std::max(enough, shrunk) - std::min(characters_, std::max(enough, shrunk));
    if (losses.size() > room) losses.resize(room);
    std::sort(losses.begin(), losses.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    std::vector<Scored> kept(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(characters_));
    for (const auto& entry : losses) kept.push_back(std::move(pieces_[entry.second]));
    pieces_ = std::move(kept);
    index();
  }

  // All characters and the most probable others.
  std::vector<Scored> chosen(size_t wanted) {
    std::vector<Scored> others(pieces_.begin() + static_cast<std::ptrdiff_t>(characters_), pieces_.end());
    std::sort(others.begin(), others.end(), better);
    others.resize(std::min(others.size(), wanted - characters_));
    pieces_.resize(characters_);
    pieces_.insert(pieces_.end(), others.begin(), others.end());
    std::sort(pieces_.begin(), pieces_.end(), better);
    return std::move(pieces_);
  }

  std::span<const WordCount> words_;
  const UnigramTrainOptions& options_;
  std::vector<Scored> pieces_;  // characters first
  size_t characters_ = 0;
  Trie trie_;
  double unknown_ = 0;
};

}  // namespace

std::vector<Scored> train_unigram(std::span<const WordCount> words, const UnigramTrainOptions& options) {
  if (words.empty()) return {};
  return Trainer(words, options).run();
}

}  // namespace heed::text
