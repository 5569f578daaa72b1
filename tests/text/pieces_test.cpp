// The piece table that segmenters share.
#include "heed/text/pieces.h"

#include <gtest/gtest.h>

#include "model_bytes.h"

namespace heed::text {
namespace {

using heed::testing::model_bytes;
using heed::testing::small_model;

TEST(Pieces, OnlyOrdinaryPiecesMatchText) {
  SentencePieceModel spec = small_model(
      SegmentationType::kBpe,
      {{"a", -1}, {"[x]", 0, PieceType::kUserDefined}, {"b", -2, PieceType::kUnused}, {"<s>", 0, PieceType::kControl}});
  const SentencePieceModel model = parse_sentencepiece_model(model_bytes(spec), "x");
  const Pieces pieces(model);
  EXPECT_EQ(pieces.size(), 6u);
  EXPECT_EQ(pieces.id_of_text("a"), 2);
  EXPECT_EQ(pieces.id_of_text("[x]"), 3);
  EXPECT_EQ(pieces.id_of_text("b"), 4);
  EXPECT_EQ(pieces.id_of_text("<s>"), model.unk_id);
  EXPECT_EQ(pieces.id_of_text("</s>"), model.unk_id);
  EXPECT_EQ(pieces.id_of_text("c"), model.unk_id);
  EXPECT_EQ(pieces.id_at(Trie::kNone), model.unk_id);
  EXPECT_EQ(pieces.trie().find("<s>"), 5);
  EXPECT_EQ(pieces.symbols()->longest_prefix("[x]]"), 3u);
  EXPECT_EQ(pieces.symbols()->longest_prefix("a"), 0u);
}

TEST(Pieces, CharacterLengthGoesByTheFirstByte) {
  EXPECT_EQ(character_length("a"), 1u);
  EXPECT_EQ(character_length("\xC3\xBCx"), 2u);
  EXPECT_EQ(character_length("\xE2\x96\x81x"), 3u);
  EXPECT_EQ(character_length("\xF0\x9F\x98\x80x"), 4u);
  EXPECT_EQ(character_length("\xF0\x9F"), 2u);  // never beyond the text
  EXPECT_EQ(character_length("\x96\x81"), 1u);
}

}  // namespace
}  // namespace heed::text
