// Normalisation, against libsentencepiece: the pieces that it cuts a text into join up to the normalised text.
#include "heed/text/normalizer.h"

#include <gtest/gtest.h>

#include "corpus.h"
#include "heed/base/random.h"
#include "model_bytes.h"

namespace heed::text {
namespace {

using heed::testing::make_oracle;
using heed::testing::model_bytes;
using heed::testing::shared_lines;
using heed::testing::shared_path;
using heed::testing::small_model;

constexpr const char* kModel = "data/tokenizers/sentencepiece/test_model.model";

// Text from parts that normalisation treats differently, among them malformed UTF-8.
std::string random_text(Random& random) {
  static const std::vector<std::string> parts = {" ",
                                                 "  ",
                                                 "a",
                                                 "b",
                                                 "\xE2\x96\x81",
                                                 "\xE3\x80\x80",
                                                 "\t",
                                                 "\x01",
                                                 "\xC3\xBC",
                                                 "u\xCC\x88",
                                                 "\xFF",
                                                 "\xC3",
                                                 "\xE2\x96",
                                                 "\xED\xA0\x80",
                                                 "\xF0\x9F\x98\x80",
                                                 "\xEF\xAC\x81",
                                                 "\xE2\x80\x8B",
                                                 "\xEF\xB7\xBA",
                                                 "<s>",
                                                 "[x y]",
                                                 "[x",
                                                 "A\xCC\x8A",
                                                 "\n",
                                                 "\xC2\xA0",
                                                 "\xEF\xBB\xBF",
                                                 "\xE1\x84\x80\xE1\x85\xA1",
                                                 std::string(1, '\0')};
  std::string text;
  for (uint32_t n = random.below(12); n > 0; --n) text += parts[random.below(static_cast<uint32_t>(parts.size()))];
  return text;
}

std::string joined(const std::vector<std::string>& pieces) {
  std::string text;
  for (const std::string& piece : pieces) text += piece;
  return text;
}

TEST(Normalizer, EqualsTheLibraryForEveryCombinationOfFlags) {
  HEED_NEEDS_SHARED(kModel);
  const std::string map = read_sentencepiece_model(shared_path(kModel)).normalizer.precompiled_charsmap;
  for (int flags = 0; flags < 64; ++flags) {
    SentencePieceModel spec = small_model(SegmentationType::kCharacter, {{"a", -1}});
    spec.normalizer = {"test", flags & 1 ? map : "", (flags & 2) != 0, (flags & 4) != 0, (flags & 8) != 0};
    spec.treat_whitespace_as_suffix = (flags & 16) != 0;
    if (flags & 32) {
      spec.pieces.push_back({"[x y]", 0, PieceType::kUserDefined});
      spec.pieces.push_back({"\xEF\xAC\x81", 0, PieceType::kUserDefined});
      spec.pieces.push_back({"  a", 0, PieceType::kUserDefined});
    }
    const SentencePieceModel model = parse_sentencepiece_model(model_bytes(spec), "x");
    std::vector<Trie::Entry> symbols;
    for (const SentencePieceEntry& piece : model.pieces)
      if (piece.type == PieceType::kUserDefined) symbols.push_back({piece.text, 0});
    const Normalizer normalizer(model.normalizer, model.treat_whitespace_as_suffix,
                                std::make_shared<const Trie>(std::move(symbols)), "x");
    const auto oracle = make_oracle(model.raw);
    Random random(static_cast<uint64_t>(flags));
    for (int i = 0; i < 500; ++i) {
      const std::string text = random_text(random);
      ASSERT_EQ(normalizer.normalize(text), joined(oracle->EncodeAsPieces(text)))
          << "flags " << flags << ", text [" << text << "]";
    }
  }
}

TEST(Normalizer, EqualsTheLibraryOnNaughtyStringsAndNormalisationTests) {
  HEED_NEEDS_SHARED(kModel);
  const SentencePieceModel model = read_sentencepiece_model(shared_path(kModel));
  const Normalizer normalizer(model.normalizer, false, nullptr, "x");
  const auto oracle = make_oracle(model.raw);
  size_t lines = 0;
  for (const char* file : {"data/unicode/blns.txt", "data/unicode/NormalizationTest.txt.gz",
                           "data/unicode/utf8tests.bin", "data/multi30k/val.fr.gz"}) {
    for (const std::string& line : shared_lines(file)) {
      ASSERT_EQ(normalizer.normalize(line), joined(oracle->EncodeAsPieces(line))) << line;
      ++lines;
    }
  }
  EXPECT_GT(lines, 20000u);
}

TEST(Normalizer, BytesOfMalformedTextBecomeOneReplacementCharacterEach) {
  const Normalizer normalizer({"identity", "", false, false, false}, false, nullptr, "x");
  EXPECT_EQ(normalizer.normalize("a\xE2\x96z"), "a\xEF\xBF\xBD\xEF\xBF\xBDz");
  EXPECT_EQ(normalizer.normalize(" a  b "), " a  b ");
}

}  // namespace
}  // namespace heed::text
