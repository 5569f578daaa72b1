// Training: every option has its effect, errors say what is possible, nothing is dropped uncounted.
#include "heed/text/sentencepiece_trainer.h"

#include <gmock/gmock.h>

#include "corpus.h"
#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/text/sentencepiece.h"
#include "made_files.h"

namespace heed::text {
namespace {

using heed::testing::make_oracle;
using heed::testing::shared_lines;
using heed::testing::shared_path;
using heed::testing::TemporaryFolder;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr const char* kGerman = "data/multi30k/val.de.gz";

class TrainerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    HEED_NEEDS_SHARED(kGerman);
    options_.vocab_size = 500;
  }

  std::filesystem::path write(const std::string& content) {
    const std::filesystem::path file = folder_ / fmt::format("{}.txt", files_++);
    write_file_atomically(file, content);
    return file;
  }

  SentencePiece train(const std::filesystem::path& file = shared_path(kGerman)) {
    return SentencePiece::from_bytes(train_sentencepiece({file}, options_).model, "trained");
  }

  SentencePieceTrainOptions options_;
  TemporaryFolder folder_;
  int files_ = 0;
};

TEST_F(TrainerTest, TheResultIsReproducibleAndReadByTheLibrary) {
  for (const SegmentationType type : {SegmentationType::kUnigram, SegmentationType::kBpe}) {
    options_.model_type = type;
    const SentencePieceTrainResult result = train_sentencepiece({shared_path(kGerman)}, options_);
    EXPECT_EQ(train_sentencepiece({shared_path(kGerman)}, options_).model, result.model);
    EXPECT_EQ(result.lines, 1014);
    EXPECT_EQ(result.used, 1014);
    const auto oracle = make_oracle(result.model);
    EXPECT_EQ(oracle->GetPieceSize(), 500);
    EXPECT_EQ(oracle->eos_id(), 0);
    EXPECT_EQ(oracle->unk_id(), 1);
    EXPECT_EQ(oracle->bos_id(), -1);
    EXPECT_EQ(oracle->pad_id(), -1);
    const SentencePieceModel model = parse_sentencepiece_model(result.model, "trained");
    EXPECT_EQ(model.type, type);
    EXPECT_EQ(model.normalizer.name, "nmt_nfkc");
  }
}

TEST_F(TrainerTest, PathsAndCompressionDoNotMatter) {
  std::string text;
  for (const std::string& line : shared_lines(kGerman)) text += line + "\n";
  const std::string expected = train().bytes();
  EXPECT_EQ(train(write(text)).bytes(), expected);
  EXPECT_EQ(train(write(testing::zstd(text))).bytes(), expected);
  const size_t half = text.find('\n', text.size() / 2) + 1;
  const SentencePieceTrainResult two =
      train_sentencepiece({write(text.substr(0, half)), write(text.substr(half))}, options_);
  EXPECT_EQ(two.model, expected);
}

TEST_F(TrainerTest, EveryOptionHasItsEffect) {
  const std::string plain = train().bytes();
  const auto differs = [&](auto change) {
    options_ = {};
    options_.vocab_size = 500;
    change(options_);
    const SentencePiece model = train();
    EXPECT_NE(model.bytes(), plain);
    return model;
  };
  using Options = SentencePieceTrainOptions;
  EXPECT_EQ(differs([](Options& o) { o.vocab_size = 400; }).size(), 400);
  EXPECT_TRUE(differs([](Options& o) { o.character_coverage = 1; }).id("\xE2\x80\x9C").has_value());
  EXPECT_FALSE(differs([](Options& o) { o.character_coverage = 0.98; }).id("V").has_value());
  EXPECT_EQ(differs([](Options& o) { o.byte_fallback = true; }).piece(2), "<0x00>");
  const SentencePiece ids = differs([](Options& o) { o.unk_id = 3, o.bos_id = 1, o.eos_id = 2, o.pad_id = 0; });
  EXPECT_THAT((std::vector<int32_t>{ids.pad_id(), ids.bos_id(), ids.eos_id(), ids.unk_id()}),
              ::testing::ElementsAre(0, 1, 2, 3));
  const SentencePiece folded = differs([](Options& o) { o.normalization_rule = "nmt_nfkc_cf"; });
  EXPECT_EQ(folded.encode("HUND"), folded.encode("hund"));
  const SentencePiece symbols = differs([](Options& o) {
    o.user_defined_symbols = {">>de<<", "a,b", "say \"x\"", "\""};
  });
  for (const char* symbol : {">>de<<", "a,b", "say \"x\"", "\""}) {
    ASSERT_TRUE(symbols.id(symbol).has_value()) << symbol;
    EXPECT_EQ(symbols.type(*symbols.id(symbol)), PieceType::kUserDefined);
  }
  EXPECT_EQ(differs([](Options& o) { o.model_type = SegmentationType::kCharacter; }).model().type,
            SegmentationType::kCharacter);
  EXPECT_EQ(differs([](Options& o) { o.model_type = SegmentationType::kWord; }).model().type, SegmentationType::kWord);
  differs([](Options& o) { o.threads = 1; });  // written into the model, and its scores may differ by rounding
  differs([](Options& o) { o.max_sentence_length = 80; });
  const SentencePiece drawn = differs([](Options& o) { o.input_sentence_size = 500; });
  const SentencePiece other = differs([](Options& o) { o.input_sentence_size = 500, o.seed = 2; });
  EXPECT_NE(drawn.bytes(), other.bytes());
}

TEST_F(TrainerTest, LinesLeftOutAreCounted) {
  std::string text = "\xEF\xBB\xBF";
  for (const std::string& line : shared_lines(kGerman)) text += line + "\r\n";
  text += "\n   \n\t\n\xE2\x80\x8B\n";    // blank, the last a zero width space
  text += std::string(5000, 'x') + "\n";  // too long
  text += "a \xE2\x96\x85 b\n";           // reserved
  text += "malformed \xFF text\n";        // used
  options_.character_coverage = 0.995;
  const SentencePieceTrainResult result = train_sentencepiece({write(text)}, options_);
  EXPECT_EQ(result.lines, 1014 + 7);
  EXPECT_EQ(result.blank, 4);
  EXPECT_EQ(result.too_long, 1);
  EXPECT_EQ(result.reserved, 1);
  EXPECT_EQ(result.bad_utf8, 1);
  EXPECT_EQ(result.used, 1015);
  EXPECT_EQ(result.not_drawn, 0);
  options_.input_sentence_size = 200;
  const SentencePieceTrainResult drawn = train_sentencepiece({write(text)}, options_);
  EXPECT_EQ(drawn.used, 200);
  EXPECT_EQ(drawn.not_drawn, 815);
}

TEST_F(TrainerTest, AVocabularyThatDoesNotFitIsRefusedWithItsBounds) {
  const std::filesystem::path tiny = write("ein Hund\nein Mann\neine Frau\n");
  for (const SegmentationType type : {SegmentationType::kUnigram, SegmentationType::kBpe}) {
    options_.model_type = type;
    options_.vocab_size = 500;
    options_.hard_vocab_limit = true;
    int most = 0;
    try {
      train(tiny);
      ADD_FAILURE() << "accepted";
    } catch (const ConfigError& error) {
      const std::string message = error.what();
      EXPECT_THAT(message, HasSubstr("a vocabulary of 500 pieces is more than this text yields: expected at most "));
      most = std::stoi(message.substr(message.rfind(' ')));
    }
    options_.vocab_size = most;
    EXPECT_EQ(train(tiny).size(), most);
    options_.vocab_size = 500;
    options_.hard_vocab_limit = false;
    EXPECT_LE(train(tiny).size(), most + 2);
    options_.vocab_size = 5;
    EXPECT_THAT([&] { train(tiny); }, ThrowsMessage<ConfigError>(HasSubstr("expected at least ")));
  }
}

TEST_F(TrainerTest, InputsWithoutTextAreRefused) {
  for (const char* text : {"", "\n\n", "   \n", "</s>\n<unk>\n</s></s>\n", "\xE2\x80\x8B\n", "<x>\n<x><x>\n"}) {
    options_.user_defined_symbols = {"<x>"};
    EXPECT_THAT([&] { train(write(text)); }, ThrowsMessage<DataError>(HasSubstr("expected text to train on"))) << text;
  }
  // Letters so rare among symbols that the coverage leaves them out.
  std::string symbols = "a";
  for (int i = 0; i < 1000; ++i) symbols += "<x>";
  options_.character_coverage = 0.98;
  EXPECT_THROW(train(write(symbols)), DataError);
  EXPECT_THAT([&] { train(folder_ / "none"); }, ThrowsMessage<DataError>(HasSubstr("none: no such file")));
}

TEST_F(TrainerTest, OptionsOutOfRangeAreRefused) {
  const auto refused = [&](auto change, const char* message) {
    options_ = {};
    change(options_);
    EXPECT_THAT([&] { train(); }, ThrowsMessage<ConfigError>(HasSubstr(message))) << message;
  };
  using Options = SentencePieceTrainOptions;
  refused([](Options& o) { o.vocab_size = 0; }, "positive vocab_size, got 0");
  refused([](Options& o) { o.character_coverage = 0.9; }, "character_coverage of 0.98 to 1, got 0.9");
  refused([](Options& o) { o.max_sentence_length = 1; }, "max_sentence_length");
  refused([](Options& o) { o.input_sentence_size = 50; }, "input_sentence_size of 0 or more than 100, got 50");
  refused([](Options& o) { o.threads = 0; }, "1 to 1024 threads, got 0");
  refused([](Options& o) { o.unk_id = -1; }, "unk_id");
  refused([](Options& o) { o.user_defined_symbols = {""}; }, "user-defined symbol");
  refused([](Options& o) { o.normalization_rule = "none_such"; }, "none_such");
  refused([](Options& o) { o.eos_id = 1; }, "sentencepiece refused");  // the unknown piece's id
  refused([](Options& o) { o.user_defined_symbols = {"<unk>"}; }, "sentencepiece refused");
}

}  // namespace
}  // namespace heed::text
