// The unigram language model's segmentation (Kudo, "Subword Regularization", ACL 2018): each piece has a log
// probability, a segmentation's is their sum, and the best one is found by Viterbi's algorithm.
//
// Ids, ties included, are those of libsentencepiece's optimised encoder: among equal scores the longest last piece
// wins, a character that no piece covers costs the lowest score minus 10, a user-defined symbol scores its length in
// bytes times the highest score (0 if that is negative, as it is for probabilities), minus 0.1; sums are kept in float
// and compared in double.
#pragma once

#include <string_view>
#include <vector>

#include "heed/text/segmenter.h"

namespace heed::text {

class Unigram : public Segmenter {
 public:
  explicit Unigram(const Pieces& pieces);

  void segment(std::string_view text, std::vector<Segment>& out) const override;

  // From all segmentations by forward filtering and backward sampling (section 3.3), or from the n best, n <= 512.
  // Where bytes of text times n exceed 2^24, it draws from all instead, for the memory's sake.
  void sample(std::string_view text, const Sampling& sampling, Random& random,
              std::vector<Segment>& out) const override;

  // One segmentation of a text and its log probability.
  struct Path {
    std::vector<Segment> segments;
    double score = 0;
  };

  // The `count` best segmentations, best first; fewer if there are no more.
  std::vector<Path> best(std::string_view text, int count) const;

 private:
  struct Node;
  struct Lattice;
  void build(std::string_view text, Lattice& lattice) const;
  void sample_all(std::string_view text, double alpha, Random& random, std::vector<Segment>& out) const;
  template <class Visit>
  void for_each_piece(std::string_view text, size_t begin, Visit&& visit) const;

  const Trie& trie_;
  int32_t unk_id_;
  std::vector<double> scores_;  // by id; NaN: never taken for text
  float unk_score_;
};

}  // namespace heed::text
