// Reading `.model` files: what they say, against libsentencepiece, and what is refused.
#include "heed/text/sentencepiece_model.h"

#include <gmock/gmock.h>

#include <limits>

#include "corpus.h"
#include "heed/base/error.h"
#include "heed/base/files.h"
#include "model_bytes.h"

namespace heed::text {
namespace {

using heed::testing::make_oracle;
using heed::testing::model_bytes;
using heed::testing::shared_path;
using heed::testing::small_model;
using heed::testing::WireWriter;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const std::vector<SentencePieceEntry> kLetters = {{"a", -1}, {"b", -2}, {"ab", -1.5f}};

SentencePieceModel parse(const std::string& bytes) { return parse_sentencepiece_model(bytes, "m.model"); }

TEST(SentencePieceModel, EqualsTheLibraryOnSharedModels) {
  for (const char* name :
       {"data/tokenizers/sentencepiece/test_model.model", "data/tokenizers/sentencepiece/test_ja_model.model",
        "data/tokenizers/sentencepiece/mozilla_vocab.model", "models/marian-multi30k-en-de/source.spm"}) {
    HEED_NEEDS_SHARED(name);
    const SentencePieceModel model = read_sentencepiece_model(shared_path(name));
    EXPECT_EQ(model.raw, read_file(shared_path(name)));
    const auto oracle = make_oracle(model.raw);
    ASSERT_EQ(static_cast<int>(model.pieces.size()), oracle->GetPieceSize());
    for (int id = 0; id < oracle->GetPieceSize(); ++id) {
      const SentencePieceEntry& piece = model.pieces[static_cast<size_t>(id)];
      ASSERT_EQ(piece.text, oracle->IdToPiece(id));
      ASSERT_EQ(piece.score, oracle->GetScore(id));
      ASSERT_EQ(piece.type == PieceType::kControl, oracle->IsControl(id));
      ASSERT_EQ(piece.type == PieceType::kUnknown, oracle->IsUnknown(id));
      ASSERT_EQ(piece.type == PieceType::kUnused, oracle->IsUnused(id));
      ASSERT_EQ(piece.type == PieceType::kByte, oracle->IsByte(id));
    }
    EXPECT_EQ(model.unk_id, oracle->unk_id());
    EXPECT_EQ(model.bos_id, oracle->bos_id());
    EXPECT_EQ(model.eos_id, oracle->eos_id());
    EXPECT_EQ(model.pad_id, oracle->pad_id());
    EXPECT_GT(model.normalizer.precompiled_charsmap.size(), 100000u);
  }
}

TEST(SentencePieceModel, EveryFieldIsRead) {
  SentencePieceModel spec = small_model(SegmentationType::kBpe, kLetters);
  spec.byte_fallback = false;
  spec.treat_whitespace_as_suffix = true;
  spec.unk_surface = "?";
  spec.normalizer = {"rule", "", false, false, false};
  spec.denormalizer = NormalizerSpec{"back", "", true, false, true};
  const SentencePieceModel read = parse(model_bytes(spec));
  EXPECT_EQ(read.type, SegmentationType::kBpe);
  EXPECT_TRUE(read.treat_whitespace_as_suffix);
  EXPECT_EQ(read.unk_surface, "?");
  EXPECT_EQ(read.normalizer.name, "rule");
  EXPECT_FALSE(read.normalizer.add_dummy_prefix);
  EXPECT_FALSE(read.normalizer.remove_extra_whitespaces);
  EXPECT_FALSE(read.normalizer.escape_whitespaces);
  ASSERT_TRUE(read.denormalizer.has_value());
  EXPECT_EQ(read.denormalizer->name, "back");
  EXPECT_FALSE(read.denormalizer->remove_extra_whitespaces);
  ASSERT_EQ(read.pieces.size(), 5u);
  EXPECT_EQ(read.pieces[4].text, "ab");
  EXPECT_EQ(read.pieces[4].score, -1.5f);
  EXPECT_EQ(read.eos_id, 0);
  EXPECT_EQ(read.unk_id, 1);
  EXPECT_EQ(read.bos_id, -1);
  EXPECT_EQ(read.pad_id, -1);
}

TEST(SentencePieceModel, DefaultsHoldWhereFieldsAreAbsent) {
  const std::string unknown = WireWriter().bytes(1, "<unk>").number(3, 2).str();
  const std::string letter = WireWriter().bytes(1, "a").str();
  const std::string bos = WireWriter().bytes(1, "[BOS]").number(3, 3).str();
  const std::string trainer = WireWriter().bytes(46, "[BOS]").str();
  const SentencePieceModel model =
      parse(WireWriter().bytes(1, unknown).bytes(1, letter).bytes(1, bos).bytes(2, trainer).bytes(3, "").str());
  EXPECT_EQ(model.type, SegmentationType::kUnigram);
  EXPECT_EQ(model.pieces[1].type, PieceType::kNormal);
  EXPECT_EQ(model.pieces[1].score, 0.0f);
  EXPECT_TRUE(model.normalizer.add_dummy_prefix && model.normalizer.remove_extra_whitespaces &&
              model.normalizer.escape_whitespaces);
  EXPECT_FALSE(model.byte_fallback || model.treat_whitespace_as_suffix);
  EXPECT_EQ(model.unk_surface, " \xE2\x81\x87 ");
  EXPECT_EQ(model.bos_id, 2);
}

void expect_refused(const SentencePieceModel& spec, const std::string& message) {
  EXPECT_THAT([&] { parse(model_bytes(spec)); }, ThrowsMessage<FormatError>(HasSubstr(message))) << message;
}

TEST(SentencePieceModel, InconsistentModelsAreRefusedByName) {
  const auto with = [](SentencePieceEntry piece) {
    SentencePieceModel spec = small_model(SegmentationType::kUnigram, kLetters);
    spec.pieces.push_back(std::move(piece));
    return spec;
  };
  expect_refused(with({"", 0}), "m.model: piece 5 is empty");
  expect_refused(with({std::string("a\0b", 3), 0}), "piece 5 holds a NUL");
  expect_refused(with({"\xFF", 0}), "piece 5 is not valid UTF-8");
  expect_refused(with({std::string(8000, 'x'), 0}), "expected fewer than 8000 bytes, got 8000");
  expect_refused(with({"c", std::numeric_limits<float>::quiet_NaN()}), "expected a finite score, got nan");
  expect_refused(with({"c", std::numeric_limits<float>::infinity()}), "expected a finite score, got inf");
  expect_refused(with({"ab", 0}), "the pieces 4 and 5 are both \"ab\"");
  expect_refused(with({"<unk2>", 0, PieceType::kUnknown}), "expected one piece of type unknown, got 1 and 5");
  expect_refused(with({"<0x41>", 0, PieceType::kByte}), "although byte fallback is off");
  expect_refused(with({"c", 0, static_cast<PieceType>(7)}), "expected a type of 1 to 6, got 7");

  SentencePieceModel spec = small_model(SegmentationType::kUnigram, {});
  expect_refused(spec, "expected a unigram model to have normal pieces");
  spec.pieces.pop_back();
  expect_refused(spec, "expected one piece of type unknown among 1, got none");
  spec = small_model(static_cast<SegmentationType>(5), kLetters);
  expect_refused(spec, "expected a model type of 1 (unigram), 2 (BPE), 3 (word) or 4 (character), got 5");
  spec = small_model(SegmentationType::kUnigram, kLetters);
  spec.byte_fallback = true;
  expect_refused(spec, "the piece <0x00> is missing");
  spec.pieces.push_back({"<0x4g>", 0, PieceType::kByte});
  expect_refused(spec, "expected a byte piece of the form <0x41>, got \"<0x4g>\"");
  spec = small_model(SegmentationType::kUnigram, kLetters);
  spec.unk_surface = "\xC3";
  expect_refused(spec, "surface is not valid UTF-8");
}

TEST(SentencePieceModel, EveryTruncationIsRefused) {
  SentencePieceModel spec = small_model(SegmentationType::kUnigram, kLetters);
  spec.normalizer.name = "nmt_nfkc";
  const std::string bytes = model_bytes(spec);
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_THROW(parse(bytes.substr(0, size)), FormatError) << "cut to " << size << " of " << bytes.size();
  EXPECT_NO_THROW(parse(bytes));
  EXPECT_THAT([&] { parse(""); }, ThrowsMessage<FormatError>(HasSubstr("found 0 pieces and no trainer spec")));
}

TEST(SentencePieceModel, MissingFilesAreNamed) {
  EXPECT_THAT([] { read_sentencepiece_model("/nonexistent/a.spm"); },
              ThrowsMessage<IoError>(HasSubstr("/nonexistent/a.spm")));
}

TEST(SentencePieceModel, BytesOfPieces) {
  EXPECT_EQ(byte_of_piece("<0x00>"), 0);
  EXPECT_EQ(byte_of_piece("<0xFF>"), 255);
  EXPECT_EQ(byte_of_piece("<0x4A>"), 0x4A);
  for (const char* bad : {"", "<0x0>", "<0x000>", "<0xff>", "<0x4G>", "0x41", "<0x-1>", "<0x41>x", " <0x41"})
    EXPECT_EQ(byte_of_piece(bad), -1) << bad;
}

}  // namespace
}  // namespace heed::text
