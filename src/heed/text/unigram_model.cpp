// The Unigram model of tokenizer.json: the segmentation with the highest sum of scores (Viterbi's algorithm). Of equal
// sums the one found first wins; a character that no token covers costs 10 more than the worst token, and neighbours of
// that kind are one token. (Kudo, "Subword Regularization", ACL 2018.)
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "heed/text/character_class.h"
#include "heed/text/scratch.h"
#include "heed/text/token_model.h"
#include "heed/text/trie.h"

namespace heed::text::pipeline {
namespace {

constexpr double kUnknownPenalty = 10;
constexpr size_t kMaxTokens = size_t{1} << 22;

class UnigramModel : public Model {
 public:
  explicit UnigramModel(const JsonPart& part) {
    const JsonPart vocab = part.at("vocab");
    const size_t size = vocab.array().size();
    if (size > kMaxTokens) vocab.refuse("at most " + std::to_string(kMaxTokens) + " tokens");
    std::vector<Trie::Entry> entries;
    std::unordered_map<std::string_view, size_t> places;
    for (size_t i = 0; i < size; ++i) {
      const JsonPart entry = vocab.item(i);
      if (entry.array().size() != 2) entry.refuse("a token and its score");
      const std::string& token = entry.item(0).string();
      if (token.size() > kMaxTokenBytes)
        entry.refuse("a token of at most " + std::to_string(kMaxTokenBytes) + " bytes");
      scores_.push_back(entry.item(1).number());
      lowest_ = std::min(lowest_, scores_.back());
      const auto id = static_cast<int32_t>(i);
      // A token that is there twice has the later id in texts.
      const auto [place, is_new] = places.emplace(token, entries.size());
      tokens_.push_back(token);
      if (!is_new) entries[place->second].value = id;
      else entries.push_back({token, id});
    }
    for (const Trie::Entry& entry : entries) vocabulary_.add(std::string(entry.key), entry.value);
    std::erase_if(entries, [](const Trie::Entry& entry) { return entry.key.empty(); });
    trie_ = Trie(std::move(entries));
    if (part.has("unk_id")) {
      if (size == 0) part.at("unk_id").refuse("a vocabulary that has it");
      unk_ = static_cast<int32_t>(part.at("unk_id").integer(0, static_cast<int64_t>(size) - 1));
    }
    read_bytes(part);
  }

  const std::string* token(int32_t id) const override {
    return id >= 0 && static_cast<size_t>(id) < tokens_.size() ? &tokens_[static_cast<size_t>(id)] : nullptr;
  }
  size_t count() const override { return tokens_.size(); }

  void write(Json& model) const override {
    Json vocab = Json::array();
    for (size_t i = 0; i < tokens_.size(); ++i) vocab.push_back(Json::array({tokens_[i], scores_[i]}));
    model["vocab"] = std::move(vocab);
  }

 protected:
  void segment(std::string_view word, uint32_t offset, std::vector<Token>& out) const override {
    thread_local std::vector<BestEnd> best;
    find_best(word, best);
    const size_t first = out.size();
    for (size_t end = word.size(); end > 0;) {
      const BestEnd& node = best[end];
      auto begin = static_cast<size_t>(node.begin);
      if (node.id == unk_) {
        while (begin > 0 && best[begin].id == unk_) begin = static_cast<size_t>(best[begin].begin);
        add_unknown(word.substr(begin, end - begin), static_cast<uint32_t>(offset + begin), out);
      } else {
        out.push_back({node.id, static_cast<uint32_t>(offset + begin), static_cast<uint32_t>(offset + end)});
      }
      end = begin;
    }
    std::reverse(out.begin() + static_cast<std::ptrdiff_t>(first), out.end());
    release_if_large(best);
  }

 private:
  struct BestEnd {
    double score = 0;
    int32_t begin = -1;  // -1: no segmentation ends here
    int32_t id = -1;
  };

  void read_bytes(const JsonPart& part) {
    byte_fallback_ = part.boolean("byte_fallback", false);
    for (size_t b = 0; byte_fallback_ && b < 256; ++b)
      bytes_[b] = vocabulary_.id(byte_token(static_cast<unsigned char>(b))).value_or(-1);
  }

  void find_best(std::string_view word, std::vector<BestEnd>& best) const {
    best.assign(word.size() + 1, BestEnd());
    const double unknown = lowest_ - kUnknownPenalty;
    const auto propose = [&](size_t begin, size_t end, double score, int32_t id) {
      BestEnd& at = best[end];
      if (at.begin >= 0 && !(score > at.score)) return;
      at = {score, static_cast<int32_t>(begin), id};
    };
    for (size_t begin = 0; begin < word.size();) {
      const double so_far = best[begin].score;
      const size_t first_end = begin + utf8_length(word[begin]);
      bool covered = false;
      uint32_t node = Trie::kRoot;
      for (size_t end = begin; end < word.size();) {
        node = trie_.step(node, static_cast<unsigned char>(word[end++]));
        if (node == Trie::kNone) break;
        const int32_t id = trie_.value(node);
        if (id < 0) continue;
        propose(begin, end, scores_[static_cast<size_t>(id)] + so_far, id);
        covered = covered || end == first_end;
      }
      if (!covered) {
        check<DataError>(unk_ >= 0, "the tokenizer has no token for \"{}\" and no unknown token",
                         word.substr(begin, first_end - begin));
        propose(begin, first_end, unknown + so_far, unk_);
      }
      begin = first_end;
    }
  }

  // Appends, in reverse, the tokens of text that Viterbi's algorithm found unknown.
  void add_unknown(std::string_view text, uint32_t begin, std::vector<Token>& out) const {
    const auto end = static_cast<uint32_t>(begin + text.size());
    if (const auto id = vocabulary_.id(text)) return out.push_back({*id, begin, end});
    const bool has_bytes = byte_fallback_ && std::all_of(text.begin(), text.end(), [&](char c) {
                             return bytes_[static_cast<unsigned char>(c)] >= 0;
                           });
    if (!has_bytes) return out.push_back({unk_, begin, end});
    for (size_t i = text.size(); i > 0; --i)
      out.push_back({bytes_[static_cast<unsigned char>(text[i - 1])], begin, end});
  }

  std::vector<std::string> tokens_;  // by id
  std::vector<double> scores_;
  double lowest_ = std::numeric_limits<double>::infinity();
  int32_t unk_ = -1;
  bool byte_fallback_ = false;
  std::array<int32_t, 256> bytes_{};
  Trie trie_;
};

}  // namespace

std::unique_ptr<Model> make_unigram(const JsonPart& part) { return std::make_unique<UnigramModel>(part); }

}  // namespace heed::text::pipeline
