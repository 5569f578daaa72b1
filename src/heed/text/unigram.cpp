#include "heed/text/unigram.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <queue>

#include "heed/base/error.h"
#include "heed/text/scratch.h"

namespace heed::text {
namespace {

constexpr float kUnkPenalty = 10;
constexpr int kMaxNbest = 512;  // as in libsentencepiece
constexpr size_t kMaxNbestWork = size_t{1} << 24;
constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

// The best segmentation that ends at some byte: its score and its last piece.
struct BestEnd {
  float score = 0;
  int32_t start = -1;  // where the last piece begins; -1: nothing ends here
  int32_t id = -1;
};

// Draws an index with probability proportional to exp(log_weights[i]).
size_t draw(const std::vector<double>& log_weights, Random& random) {
  const double highest = *std::max_element(log_weights.begin(), log_weights.end());
  double total = 0;
  for (const double w : log_weights) total += std::exp(w - highest);
  double point = random.uniform() * total;
  for (size_t i = 0; i + 1 < log_weights.size(); ++i) {
    point -= std::exp(log_weights[i] - highest);
    if (point < 0) return i;
  }
  return log_weights.size() - 1;
}

}  // namespace

// A piece at a place of the text.
struct Unigram::Node {
  uint32_t begin, end;
  int32_t id;
  int32_t same_end;  // the former node that ends there, or -1
  double score;
};

// All pieces that occur in a text, found by where they end.
struct Unigram::Lattice {
  std::vector<Node> nodes;
  std::vector<int32_t> ending;  // [bytes + 1]: the last node that ends there, or -1
};

Unigram::Unigram(const Pieces& pieces) : trie_(pieces.trie()), unk_id_(pieces.model().unk_id) {
  float lowest = FLT_MAX, highest = FLT_MIN;  // the start values are libsentencepiece's, and the latter matters
  for (const SentencePieceEntry& piece : pieces.model().pieces) {
    if (piece.type != PieceType::kNormal) continue;
    lowest = std::min(lowest, piece.score);
    highest = std::max(highest, piece.score);
  }
  unk_score_ = lowest - kUnkPenalty;
  scores_.reserve(pieces.size());
  for (const SentencePieceEntry& piece : pieces.model().pieces) {
    const float by_length = static_cast<float>(piece.text.size()) * highest;
    if (piece.type == PieceType::kNormal) scores_.push_back(piece.score);
    else if (piece.type == PieceType::kUserDefined) scores_.push_back(by_length - 0.1);
    else scores_.push_back(std::numeric_limits<double>::quiet_NaN());
  }
}

// Calls visit(end, id, score) for each piece that begins at `begin`, shortest first, and for the unknown piece where no
// other covers exactly the first character.
template <class Visit>
void Unigram::for_each_piece(std::string_view text, size_t begin, Visit&& visit) const {
  const size_t first_end = begin + character_length(text.substr(begin));
  bool covered = false;
  uint32_t node = Trie::kRoot;
  for (size_t end = begin; end < text.size();) {
    node = trie_.step(node, static_cast<unsigned char>(text[end++]));
    if (node == Trie::kNone) break;
    const int32_t id = trie_.value(node);
    if (id < 0) continue;
    const double score = scores_[static_cast<size_t>(id)];
    if (std::isnan(score)) continue;
    visit(end, id, score);
    covered = covered || end == first_end;
  }
  if (!covered) visit(first_end, unk_id_, double{unk_score_});
}

void Unigram::segment(std::string_view text, std::vector<Segment>& out) const {
  thread_local std::vector<BestEnd> best;
  best.assign(text.size() + 1, BestEnd());
  for (size_t begin = 0; begin < text.size(); begin += character_length(text.substr(begin))) {
    const float so_far = best[begin].score;
    for_each_piece(text, begin, [&](size_t end, int32_t id, double score) {
      const double candidate = score + so_far;
      BestEnd& at = best[end];
      if (at.start < 0 || candidate > at.score) at = {static_cast<float>(candidate), static_cast<int32_t>(begin), id};
    });
  }
  const size_t first = out.size();
  for (size_t end = text.size(); end > 0;) {
    const auto start = static_cast<uint32_t>(best[end].start);
    out.push_back({start, static_cast<uint32_t>(end) - start, best[end].id});
    end = start;
  }
  std::reverse(out.begin() + static_cast<std::ptrdiff_t>(first), out.end());
  release_if_large(best);
}

void Unigram::build(std::string_view text, Lattice& lattice) const {
  lattice.nodes.clear();
  lattice.ending.assign(text.size() + 1, -1);
  for (size_t begin = 0; begin < text.size(); begin += character_length(text.substr(begin))) {
    for_each_piece(text, begin, [&](size_t end, int32_t id, double score) {
      const auto index = static_cast<int32_t>(lattice.nodes.size());
      lattice.nodes.push_back(
          {static_cast<uint32_t>(begin), static_cast<uint32_t>(end), id, lattice.ending[end], score});
      lattice.ending[end] = index;
    });
  }
}

void Unigram::sample_all(std::string_view text, double alpha, Random& random, std::vector<Segment>& out) const {
  thread_local Lattice lattice;
  thread_local std::vector<double> forward;  // [bytes + 1]: log of the summed weight of all segmentations up to there
  thread_local std::vector<double> weights;
  build(text, lattice);
  const auto collect = [&](size_t end) {
    weights.clear();
    for (int32_t n = lattice.ending[end]; n >= 0; n = lattice.nodes[static_cast<size_t>(n)].same_end) {
      const Node& node = lattice.nodes[static_cast<size_t>(n)];
      weights.push_back(forward[node.begin] + alpha * node.score);
    }
  };
  forward.assign(text.size() + 1, kMinusInfinity);
  forward[0] = 0;
  for (size_t end = 1; end <= text.size(); ++end) {
    collect(end);
    if (weights.empty()) continue;
    const double highest = *std::max_element(weights.begin(), weights.end());
    if (highest == kMinusInfinity) continue;
    double sum = 0;
    for (const double w : weights) sum += std::exp(w - highest);
    forward[end] = highest + std::log(sum);
  }
  const size_t first = out.size();
  for (size_t end = text.size(); end > 0;) {
    collect(end);
    int32_t n = lattice.ending[end];
    for (size_t skip = draw(weights, random); skip > 0; --skip) n = lattice.nodes[static_cast<size_t>(n)].same_end;
    const Node& node = lattice.nodes[static_cast<size_t>(n)];
    out.push_back({node.begin, node.end - node.begin, node.id});
    end = node.begin;
  }
  std::reverse(out.begin() + static_cast<std::ptrdiff_t>(first), out.end());
  release_if_large(lattice.nodes);
  release_if_large(lattice.ending);
  release_if_large(forward);
}

// Best-first search from the end of the text, led by the exact best score of what lies before (A* with Viterbi's scores
// as its estimate). No place is expanded more than `count` times, as none can be on more of the best paths by different
// rests; this bounds the work where many scores are equal.
std::vector<Unigram::Path> Unigram::best(std::string_view text, int count) const {
  struct Hypothesis {
    double estimate, rest;  // score of the best whole path through it; of the part behind `position`
    uint32_t position;
    int32_t node, next;  // the piece that begins at `position`, and the hypothesis behind it; -1 at the end
  };
  Lattice lattice;
  build(text, lattice);
  std::vector<double> before(text.size() + 1, kMinusInfinity);
  before[0] = 0;
  for (const Node& node : lattice.nodes) before[node.end] = std::max(before[node.end], before[node.begin] + node.score);

  std::vector<Hypothesis> all{{before.back(), 0, static_cast<uint32_t>(text.size()), -1, -1}};
  const auto worse = [&](int32_t a, int32_t b) {
    const Hypothesis &x = all[static_cast<size_t>(a)], &y = all[static_cast<size_t>(b)];
    if (x.estimate != y.estimate) return x.estimate < y.estimate;
    return x.position != y.position ? x.position > y.position : a > b;
  };
  std::priority_queue<int32_t, std::vector<int32_t>, decltype(worse)> agenda(worse);
  std::vector<int32_t> expanded(text.size() + 1, 0);
  agenda.push(0);
  std::vector<Path> paths;
  while (!agenda.empty() && paths.size() < static_cast<size_t>(count)) {
    const int32_t top = agenda.top();
    agenda.pop();
    const Hypothesis current = all[static_cast<size_t>(top)];
    if (current.position == 0) {
      Path& path = paths.emplace_back();
      path.score = current.rest;
      for (int32_t h = top; all[static_cast<size_t>(h)].node >= 0; h = all[static_cast<size_t>(h)].next) {
        const Node& node = lattice.nodes[static_cast<size_t>(all[static_cast<size_t>(h)].node)];
        path.segments.push_back({node.begin, node.end - node.begin, node.id});
      }
      continue;
    }
    if (expanded[current.position]++ >= count) continue;
    for (int32_t n = lattice.ending[current.position]; n >= 0; n = lattice.nodes[static_cast<size_t>(n)].same_end) {
      const Node& node = lattice.nodes[static_cast<size_t>(n)];
      if (before[node.begin] == kMinusInfinity) continue;
      const double rest = current.rest + node.score;
      all.push_back({before[node.begin] + rest, rest, node.begin, n, top});
      agenda.push(static_cast<int32_t>(all.size() - 1));
    }
  }
  return paths;
}

void Unigram::sample(std::string_view text, const Sampling& sampling, Random& random, std::vector<Segment>& out) const {
  const int nbest = sampling.nbest_size;
  check<UsageError>(nbest <= kMaxNbest, "sampling: expected an n-best size of at most {}, got {}", kMaxNbest, nbest);
  check<UsageError>(sampling.alpha >= 0 && sampling.alpha <= 1e6, "sampling: expected alpha of 0 to 1e6, got {}",
                    sampling.alpha);
  if (text.empty()) return;
  if (nbest == 0 || nbest == 1) return segment(text, out);
  if (nbest < 0 || text.size() * static_cast<size_t>(nbest) > kMaxNbestWork)
    return sample_all(text, sampling.alpha, random, out);
  const std::vector<Path> paths = best(text, nbest);
  std::vector<double> weights;
  weights.reserve(paths.size());
  for (const Path& path : paths) weights.push_back(sampling.alpha * path.score);
  const Path& drawn = paths[draw(weights, random)];
  out.insert(out.end(), drawn.segments.begin(), drawn.segments.end());
}

}  // namespace heed::text
