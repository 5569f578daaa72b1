// Entities in a tagged text, and their precision, recall and F1 as conlleval (Tjong Kim Sang and De Meulder,
// CoNLL-2003) and seqeval in its default mode count them: an entity is right if its type, its first and its last token
// are.
//
// A tag is "O" or a prefix and a type, "B-PER". The chunk rules read IOB1, IOB2, IOE, IOBES alike: B and S begin an
// entity, E and S end one, and so does a change of type; an I or E behind O or behind an end begins one. Pure
// functions.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace heed::metrics {

struct Entity {
  std::string type;
  int64_t begin = 0, end = 0;                       // tokens [begin, end)
  auto operator<=>(const Entity&) const = default;  // NOLINT(modernize-use-nullptr): it takes a 0 in <=> for a pointer
};

// The entities of one sequence of tags, in order.
std::vector<Entity> find_entities(std::span<const std::string> tags);

struct EntityScore {
  int64_t correct = 0, found = 0, expected = 0;  // entities
  // 0 where nothing is divided.
  double precision() const;
  double recall() const;
  double f1() const;
};

struct EntityReport {
  EntityScore all;
  std::map<std::string, EntityScore> types;
  int64_t tokens = 0, correct_tokens = 0;  // tags that are equal

  double accuracy() const;
  // conlleval's output: two lines about all, a line for each type; percentages.
  std::string conlleval() const;
};

using TagSequences = std::vector<std::vector<std::string>>;

// Throws DataError if the two have different numbers of sequences or of tags in one.
EntityReport entity_report(const TagSequences& expected, const TagSequences& found);

}  // namespace heed::metrics
