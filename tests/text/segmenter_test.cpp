// Word and character models, and the choice of a segmenter by model type.
#include "heed/text/segmenter.h"

#include <gmock/gmock.h>

#include "corpus.h"
#include "heed/base/error.h"
#include "heed/text/bpe.h"
#include "heed/text/unigram.h"
#include "model_bytes.h"

namespace heed::text {
namespace {

using heed::testing::make_oracle;
using heed::testing::model_bytes;
using heed::testing::shared_lines;
using heed::testing::small_model;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const std::vector<SentencePieceEntry> kPieces = {{"\xE2\x96\x81", -1},
                                                 {"\xE2\x96\x81"
                                                  "A",
                                                  -2},
                                                 {"\xE2\x96\x81man", -3},
                                                 {"a", -4},
                                                 {"n", -5},
                                                 {"\xC3\xBC", -6},
                                                 {"man", -7, PieceType::kUserDefined}};

// Ids with neighbouring unknowns joined, as libsentencepiece gives them.
std::vector<int32_t> ids_of(const Segmenter& segmenter, const SentencePieceModel& model, const std::string& text) {
  std::vector<Segment> out;
  segmenter.segment(text, out);
  std::vector<int32_t> ids;
  size_t end = 0;
  for (const Segment& s : out) {
    EXPECT_EQ(s.begin, end);
    end = s.begin + s.length;
    if (s.id != model.unk_id || ids.empty() || ids.back() != s.id) ids.push_back(s.id);
  }
  EXPECT_EQ(end, text.size());
  return ids;
}

TEST(Segmenter, WordAndCharacterModelsEqualTheLibrary) {
  HEED_NEEDS_SHARED("data/multi30k/val.de.gz");
  for (const SegmentationType type : {SegmentationType::kWord, SegmentationType::kCharacter}) {
    SentencePieceModel spec = small_model(type, kPieces);
    spec.normalizer = {"identity", "", true, false, true};
    const SentencePieceModel model = parse_sentencepiece_model(model_bytes(spec), "x");
    const Pieces pieces(model);
    const auto segmenter = make_segmenter(pieces);
    const auto oracle = make_oracle(model.raw);
    std::vector<std::string> lines = shared_lines("data/multi30k/val.de.gz", 10);
    lines.insert(lines.end(), {"", " ", "  A", "A  ", "man", "A man man", " man ",
                               "\xC3\xBC"
                               "man"});
    for (const std::string& line : lines) {
      std::string normalized;
      for (const std::string& piece : oracle->EncodeAsPieces(line)) normalized += piece;
      ASSERT_EQ(ids_of(*segmenter, model, normalized), oracle->EncodeAsIds(line)) << line;
    }
  }
}

TEST(Segmenter, WordAndCharacterModelsCannotSample) {
  for (const SegmentationType type : {SegmentationType::kWord, SegmentationType::kCharacter}) {
    const SentencePieceModel model = parse_sentencepiece_model(model_bytes(small_model(type, kPieces)), "m.model");
    const Pieces pieces(model);
    Random random(1);
    std::vector<Segment> out;
    EXPECT_THAT([&] { make_segmenter(pieces)->sample("a", {}, random, out); },
                ThrowsMessage<UsageError>(HasSubstr("m.model: a ")));
  }
}

TEST(Segmenter, TheModelTypeChooses) {
  const SentencePieceModel unigram =
      parse_sentencepiece_model(model_bytes(small_model(SegmentationType::kUnigram, kPieces)), "x");
  const SentencePieceModel bpe =
      parse_sentencepiece_model(model_bytes(small_model(SegmentationType::kBpe, kPieces)), "x");
  const Pieces unigram_pieces(unigram), bpe_pieces(bpe);
  EXPECT_NE(dynamic_cast<Unigram*>(make_segmenter(unigram_pieces).get()), nullptr);
  EXPECT_NE(dynamic_cast<Bpe*>(make_segmenter(bpe_pieces).get()), nullptr);
}

}  // namespace
}  // namespace heed::text
