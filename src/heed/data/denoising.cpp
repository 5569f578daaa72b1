#include "heed/data/denoising.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "heed/base/error.h"

namespace heed::data {
namespace {

// Cuts `total` into `parts` >= 1 numbers of at least 1, each such cut being as likely as any other.
std::vector<size_t> random_parts(size_t total, size_t parts, Random& random) {
  // Of the total - 1 places between two items, parts - 1 are cut.
  std::vector<uint8_t> cuts(total - 1, 0);
  std::fill(cuts.begin(), cuts.begin() + static_cast<ptrdiff_t>(parts - 1), uint8_t{1});
  random.shuffle(cuts);
  std::vector<size_t> lengths{1};
  for (const uint8_t cut : cuts) {
    if (cut) lengths.push_back(1);
    else ++lengths.back();
  }
  return lengths;
}

// Halves to the even number, as TensorFlow rounds.
size_t rounded(double x) { return static_cast<size_t>(std::llrint(x)); }

// By multiplication (Knuth, The Art of Computer Programming 2, 3.4.1); lambda is small.
size_t poisson(double lambda, Random& random) {
  const double limit = std::exp(-lambda);
  size_t n = 0;
  for (double product = random.uniform(); product > limit; product *= random.uniform()) ++n;
  return n;
}

std::vector<int32_t> permuted(std::span<const int32_t> ids, const Infilling& noise, Random& random) {
  std::vector<std::span<const int32_t>> sentences;
  size_t begin = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    const bool ends = noise.ends.at(static_cast<size_t>(ids[i]));
    // Marks that follow each other ("?!", "...") end one sentence.
    const bool more = i + 1 < ids.size() && noise.ends.at(static_cast<size_t>(ids[i + 1]));
    if (!(ends && !more) && i + 1 < ids.size()) continue;
    sentences.push_back(ids.subspan(begin, i + 1 - begin));
    begin = i + 1;
  }
  random.shuffle(sentences);
  std::vector<int32_t> result;
  for (const auto& sentence : sentences) result.insert(result.end(), sentence.begin(), sentence.end());
  return result;
}

// Which spans [begin, begin + length) are hidden: they neither overlap nor touch, so that each keeps its own mask.
// Spans without length stand before the token at `begin`.
struct Hidden {
  std::vector<size_t> length;    // of the span that begins at each token; 0: none
  std::vector<size_t> inserted;  // masks before each token, and at the end
};

Hidden draw_hidden(size_t tokens, const Infilling& noise, Random& random) {
  Hidden hidden{std::vector<size_t>(tokens, 0), std::vector<size_t>(tokens + 1, 0)};
  std::vector<bool> taken(tokens, false);
  const auto is_free = [&](size_t begin, size_t length) {
    const size_t from = begin > 0 ? begin - 1 : 0, to = std::min(begin + length + 1, tokens);
    return std::none_of(taken.begin() + static_cast<ptrdiff_t>(from), taken.begin() + static_cast<ptrdiff_t>(to),
                        [](bool t) { return t; });
  };
  const auto wanted = static_cast<size_t>(std::ceil(noise.density * static_cast<double>(tokens)));
  size_t count = 0, saved = 0, empty = 0;  // tokens that are hidden, by how many the source is shorter, empty spans
  // Where spans have become too many for a long one to find a place, shorter ones are tried.
  for (size_t failures = 0; count < wanted && failures < 8 * tokens;) {
    const size_t length = std::min({poisson(noise.mean_length, random), wanted - count, tokens});
    if (length == 0) {
      ++empty;
      ++failures;  // so that it ends for whatever mean
      continue;
    }
    const size_t begin = random.below(static_cast<uint32_t>(tokens - length + 1));
    if (!is_free(begin, length)) {
      ++failures;
      continue;
    }
    hidden.length[begin] = length;
    std::fill_n(taken.begin() + static_cast<ptrdiff_t>(begin), length, true);
    count += length;
    saved += length - 1;
  }
  // Where nothing is hidden on both sides: inside a span they would be hidden themselves.
  for (empty = std::min(empty, saved); empty > 0;) {
    const size_t place = random.below(static_cast<uint32_t>(tokens + 1));
    if (place > 0 && place < tokens && taken[place - 1] && taken[place]) continue;
    ++hidden.inserted[place];
    --empty;
  }
  return hidden;
}

}  // namespace

NoisyText corrupt_spans(std::span<const int32_t> ids, const SpanNoise& noise, Random& random) {
  check<UsageError>(!noise.sentinels.empty(), "span corruption needs sentinel tokens");
  NoisyText result;
  const size_t n = ids.size();
  if (n == 0) return result;
  if (n == 1) return {{noise.sentinels[0]}, {noise.sentinels[0], ids[0]}};
  const size_t gone = std::clamp<size_t>(rounded(noise.density * static_cast<double>(n)), 1, n - 1);
  const size_t most = std::min({gone, n - gone, noise.sentinels.size()});
  const size_t spans = std::clamp<size_t>(rounded(static_cast<double>(gone) / noise.mean_length), 1, most);
  const std::vector<size_t> go = random_parts(gone, spans, random), stay = random_parts(n - gone, spans, random);
  size_t at = 0;
  const auto move = [&](std::vector<int32_t>& to, size_t count) {
    to.insert(to.end(), ids.begin() + static_cast<ptrdiff_t>(at), ids.begin() + static_cast<ptrdiff_t>(at + count));
    at += count;
  };
  for (size_t i = 0; i < spans; ++i) {
    move(result.source, stay[i]);
    result.source.push_back(noise.sentinels[i]);
    result.target.push_back(noise.sentinels[i]);
    move(result.target, go[i]);
  }
  return result;
}

NoisyText infill(std::span<const int32_t> ids, const Infilling& noise, Random& random) {
  NoisyText result{{}, {ids.begin(), ids.end()}};
  if (ids.empty()) return result;
  const std::vector<int32_t> text = noise.permute ? permuted(ids, noise, random) : result.target;
  const Hidden hidden = draw_hidden(text.size(), noise, random);
  for (size_t i = 0; i < text.size();) {
    result.source.insert(result.source.end(), hidden.inserted[i], noise.mask_id);
    if (const size_t length = hidden.length[i]; length > 0) {
      result.source.push_back(noise.mask_id);
      i += length;
    } else {
      result.source.push_back(text[i++]);
    }
  }
  result.source.insert(result.source.end(), hidden.inserted[text.size()], noise.mask_id);
  return result;
}

}  // namespace heed::data
