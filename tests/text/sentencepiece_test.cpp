// SentencePiece models at work, against recorded cases and against libsentencepiece itself.
#include "heed/text/sentencepiece.h"

#include <gmock/gmock.h>

#include <ctime>
#include <numeric>
#include <thread>

#include "corpus.h"
#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/json.h"
#include "heed/base/utf8.h"
#include "heed/text/sentencepiece_trainer.h"
#include "model_bytes.h"

namespace heed::text {
namespace {

using heed::testing::make_oracle;
using heed::testing::model_bytes;
using heed::testing::shared_lines;
using heed::testing::shared_path;
using heed::testing::small_model;
using ::testing::ElementsAre;

constexpr const char* kMarian = "models/marian-multi30k-en-de/source.spm";

class RecordedCases : public ::testing::TestWithParam<std::string> {};

TEST_P(RecordedCases, IdsPiecesAndTextAreEqual) {
  const std::string folder = "data/tokenizers/sentencepiece/";
  HEED_NEEDS_SHARED(folder);
  const SentencePiece model = SentencePiece::load(shared_path(folder + GetParam() + ".model"));
  size_t cases = 0;
  for (const std::string& line : shared_lines(folder + GetParam() + ".cases.jsonl.gz")) {
    const Json item = parse_json(line, GetParam());
    const auto text = item["text"].get<std::string>();
    const auto ids = item["ids"].get<std::vector<int32_t>>();
    ASSERT_EQ(model.encode(text), ids) << text;
    ASSERT_EQ(model.encode_as_pieces(text), item["pieces"].get<std::vector<std::string>>()) << text;
    ASSERT_EQ(model.decode(ids), item["decoded"].get<std::string>()) << text;
    ++cases;
  }
  EXPECT_EQ(cases, 830u);
}

INSTANTIATE_TEST_SUITE_P(Models, RecordedCases, ::testing::Values("test_model", "test_ja_model", "mozilla_vocab"));

// Everything that both sides offer, on one line.
void expect_equal(const SentencePiece& model, const sentencepiece::SentencePieceProcessor& oracle,
                  const std::string& line) {
  const std::vector<int32_t> ids = model.encode(line);
  const std::vector<std::string> pieces = model.encode_as_pieces(line);
  ASSERT_EQ(ids, oracle.EncodeAsIds(line)) << line;
  ASSERT_EQ(pieces, oracle.EncodeAsPieces(line)) << line;
  ASSERT_EQ(model.decode(ids), oracle.DecodeIds(ids)) << line;
  const std::vector<std::string_view> views(pieces.begin(), pieces.end());
  ASSERT_EQ(model.decode_pieces(views), oracle.DecodePieces(pieces)) << line;
}

// Lines of several scripts, well formed and not.
std::vector<std::string> mixed_lines() {
  std::vector<std::string> lines = shared_lines("data/unicode/blns.txt");
  for (const char* file : {"data/multi30k/val.en.gz", "data/multi30k/val.de.gz", "data/multi30k/val.cs.gz"})
    for (std::string& line : shared_lines(file, 3)) lines.push_back(std::move(line));
  for (std::string& line : shared_lines("data/unicode/utf8tests.bin")) lines.push_back(std::move(line));
  for (const char* text : {"", " ", "\xE2\x96\x81", "\xE2\x96\x81 a", "<unk>", "<s>a</s>", "<0x41>", "a<sep>b",
                           " <sep>", "\xFF\xFE", "\xE4\xBD\xA0\xE5\xA5\xBD", "x\xE4\xBD\xA0 \xE5\xA5\xBDy"})
    lines.emplace_back(text);
  return lines;
}

std::string train(SentencePieceTrainOptions options, const char* file = "data/multi30k/val.de.gz") {
  options.vocab_size = 1000;
  return train_sentencepiece({shared_path(file)}, options).model;
}

TEST(SentencePiece, UnigramEqualsTheLibraryOnMulti30kAndNaughtyStrings) {
  HEED_NEEDS_SHARED(kMarian);
  const SentencePiece model = SentencePiece::load(shared_path(kMarian));
  const auto oracle = make_oracle(model.bytes());
  size_t lines = 0;
  for (const char* file : {"data/multi30k/train.en.gz", "data/multi30k/train.de.gz"}) {
    for (const std::string& line : shared_lines(file, 2)) {
      ASSERT_NO_FATAL_FAILURE(expect_equal(model, *oracle, line));
      ++lines;
    }
  }
  for (const std::string& line : mixed_lines()) ASSERT_NO_FATAL_FAILURE(expect_equal(model, *oracle, line));
  EXPECT_EQ(lines, 29000u);
}

TEST(SentencePiece, BpeEqualsTheLibraryOnMulti30kAndNaughtyStrings) {
  HEED_NEEDS_SHARED("data/multi30k");
  SentencePieceTrainOptions options;
  options.model_type = SegmentationType::kBpe;
  const SentencePiece model = SentencePiece::from_bytes(train(options), "bpe");
  const auto oracle = make_oracle(model.bytes());
  for (const char* file : {"data/multi30k/train.en.gz", "data/multi30k/train.de.gz"})
    for (const std::string& line : shared_lines(file, 8)) ASSERT_NO_FATAL_FAILURE(expect_equal(model, *oracle, line));
  for (const std::string& line : mixed_lines()) ASSERT_NO_FATAL_FAILURE(expect_equal(model, *oracle, line));
}

TEST(SentencePiece, ByteFallbackSymbolsAndEveryModelTypeEqualTheLibrary) {
  HEED_NEEDS_SHARED("data/multi30k");
  const std::vector<std::string> lines = mixed_lines();
  for (const SegmentationType type :
       {SegmentationType::kUnigram, SegmentationType::kBpe, SegmentationType::kWord, SegmentationType::kCharacter}) {
    const bool subwords = type == SegmentationType::kUnigram || type == SegmentationType::kBpe;
    for (const bool bytes : {false, true}) {
      if (bytes && !subwords) continue;
      SentencePieceTrainOptions options;
      options.model_type = type;
      options.byte_fallback = bytes;
      options.user_defined_symbols = {"<sep>", "Hund"};
      options.normalization_rule = bytes ? "identity" : "nmt_nfkc_cf";
      const SentencePiece model = SentencePiece::from_bytes(train(options), "trained");
      const auto oracle = make_oracle(model.bytes());
      for (const std::string& line : lines) {
        if (!subwords && line.find("</s>") != std::string::npos) continue;  // the library refuses such text
        ASSERT_NO_FATAL_FAILURE(expect_equal(model, *oracle, line))
            << "type " << static_cast<int>(type) << ", bytes " << bytes;
      }
      EXPECT_EQ(model.type(*model.id("<sep>")), PieceType::kUserDefined);
    }
  }
}

// All ids in random order, so also sequences that no text gives: bytes that are no characters, spaces at the start.
TEST(SentencePiece, DecodingOfAnyIdsEqualsTheLibraryForEveryNormaliserFlag) {
  for (int flags = 0; flags < 8; ++flags) {
    SentencePieceModel spec = small_model(SegmentationType::kUnigram, {{"\xE2\x96\x81", -1},
                                                                       {"\xE2\x96\x81"
                                                                        "a",
                                                                        -2},
                                                                       {"b\xE2\x96\x81", -3},
                                                                       {"\xE2\x96\x81\xE2\x96\x81", -4},
                                                                       {"[x]", 0, PieceType::kUserDefined},
                                                                       {"u", -5, PieceType::kUnused}});
    spec.normalizer = {"identity", "", (flags & 1) != 0, (flags & 2) != 0, true};
    spec.byte_fallback = (flags & 4) != 0;
    if (spec.byte_fallback)
      for (int byte = 0; byte < 256; ++byte)
        spec.pieces.push_back({fmt::format("<0x{:02X}>", byte), 0, PieceType::kByte});
    const SentencePiece model = SentencePiece::from_bytes(model_bytes(spec), "x");
    const auto oracle = make_oracle(model.bytes());
    Random random(static_cast<uint64_t>(flags));
    for (int i = 0; i < 3000; ++i) {
      std::vector<int32_t> ids;
      for (uint32_t n = random.below(8); n > 0; --n) {
        const bool any = random.below(2) == 0;
        ids.push_back(static_cast<int32_t>(random.below(any ? static_cast<uint32_t>(model.size()) : 8)));
      }
      ASSERT_EQ(model.decode(ids), oracle->DecodeIds(ids)) << flags;
    }
    const std::vector<std::string> foreign = {"\xE2\x96\x81q", "q",
                                              "\xE2\x96\x81"
                                              "a",
                                              "<unk>"};
    const std::vector<std::string_view> views(foreign.begin(), foreign.end());
    EXPECT_EQ(model.decode_pieces(views), oracle->DecodePieces(foreign));
  }
}

TEST(SentencePiece, TheDenormaliserIsApplied) {
  HEED_NEEDS_SHARED(kMarian);
  SentencePieceModel spec = small_model(SegmentationType::kUnigram, {{"\xEF\xAC\x81", -1}, {"\xE2\x96\x81", -2}});
  spec.normalizer = {"identity", "", true, true, true};
  spec.denormalizer = read_sentencepiece_model(shared_path(kMarian)).normalizer;
  spec.denormalizer->add_dummy_prefix = spec.denormalizer->escape_whitespaces = false;
  const SentencePiece model = SentencePiece::from_bytes(model_bytes(spec), "x");
  const std::vector<int32_t> ids = model.encode("\xEF\xAC\x81 \xEF\xAC\x81");
  EXPECT_EQ(model.decode(ids), "fi fi");
  EXPECT_EQ(model.decode(ids), make_oracle(model.bytes())->DecodeIds(ids));
}

TEST(SentencePiece, LooksUpPiecesAndIds) {
  const SentencePiece model =
      SentencePiece::from_bytes(model_bytes(small_model(SegmentationType::kUnigram, {{"a", -1}})), "m.model");
  EXPECT_EQ(model.size(), 3);
  EXPECT_EQ(model.piece(2), "a");
  EXPECT_EQ(model.id("a"), 2);
  EXPECT_EQ(model.id("</s>"), 0);
  EXPECT_FALSE(model.id("b").has_value());
  EXPECT_EQ(model.unk_id(), 1);
  EXPECT_EQ(model.eos_id(), 0);
  EXPECT_EQ(model.bos_id(), -1);
  EXPECT_EQ(model.pad_id(), -1);
  for (const int32_t bad : {-1, 3}) {
    EXPECT_THAT([&] { model.piece(bad); }, ::testing::ThrowsMessage<UsageError>(::testing::HasSubstr(
                                               fmt::format("expected a piece id of 0 to 2, got {}", bad))));
    EXPECT_THROW(model.decode(std::vector<int32_t>{bad}), UsageError);
    EXPECT_THROW(model.type(bad), UsageError);
  }
}

TEST(SentencePiece, SamplesDecodeToTheSameTextAndFollowTheRandomNumbers) {
  HEED_NEEDS_SHARED(kMarian);
  const SentencePiece model = SentencePiece::load(shared_path(kMarian));
  size_t differ = 0, lines = 0;
  for (const std::string& line : shared_lines("data/multi30k/val.de.gz", 10)) {
    const std::string text = model.decode(model.encode(line));
    for (const int nbest : {-1, 5}) {
      Random random(7, lines), again(7, lines);
      const std::vector<int32_t> ids = model.sample(line, 0.1, nbest, random);
      EXPECT_EQ(model.decode(ids), text);
      EXPECT_EQ(model.sample(line, 0.1, nbest, again), ids);
      differ += ids != model.encode(line) ? 1 : 0;
    }
    Random random(8, lines++);
    EXPECT_EQ(model.sample(line, 0.1, 1, random), model.encode(line));
  }
  EXPECT_GT(differ, lines);
}

// The mean number of pieces under sampling, a figure that depends on all probabilities.
TEST(SentencePiece, SamplesAreAsLongAsTheLibrarys) {
  HEED_NEEDS_SHARED(kMarian);
  const SentencePiece model = SentencePiece::load(shared_path(kMarian));
  const auto oracle = make_oracle(model.bytes());
  const std::vector<std::string> lines = shared_lines("data/multi30k/val.en.gz", 2);
  for (const double alpha : {0.1, 0.5}) {
    double ours = 0, theirs = 0;
    Random random(1);
    // The library draws anew in each run: often enough that its mean stands.
    for (int draw = 0; draw < 16; ++draw)
      for (const std::string& line : lines) {
        ours += static_cast<double>(model.sample(line, alpha, -1, random).size());
        theirs += static_cast<double>(oracle->SampleEncodeAsIds(line, -1, static_cast<float>(alpha)).size());
      }
    EXPECT_NEAR(ours / theirs, 1, 0.02) << alpha;
  }
}

TEST(SentencePiece, HostileTextTakesLinearTime) {
  HEED_NEEDS_SHARED(kMarian);
  SentencePieceTrainOptions options;
  options.model_type = SegmentationType::kBpe;
  options.vocab_size = 20;
  options.hard_vocab_limit = false;
  heed::testing::TemporaryFolder folder;
  write_file_atomically(folder / "a", std::string(4000, 'a') + "\n" + std::string(3000, 'a') + "\n");
  const SentencePiece models[] = {
      SentencePiece::load(shared_path(kMarian)), SentencePiece::from_bytes(train(options), "bpe"),
      // Merges of one letter over and over.
      SentencePiece::from_bytes(train_sentencepiece({folder / "a"}, options).model, "letters")};
  const auto repeat = [](std::string_view unit, size_t bytes) {
    std::string text;
    while (text.size() < bytes) text += unit;
    return text;
  };
  for (const SentencePiece& model : models) {
    for (const std::string_view unit : {"a", " ", "_", "1", "\xFF", "\xE4\xBD\xA0", "\xE2\x96\x81", "\xCC\x81",
                                        "\xE2\x80\x8D", "\xF0\x9F\x98\x80", "\xEF\xB7\xBA", "ab"}) {
      const std::string text = repeat(unit, 1 << 20);
      const std::clock_t start = std::clock();  // of the processor, so that other programs do not count
      model.encode(text);
      const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
#ifdef NDEBUG
      EXPECT_LT(seconds, 1.0) << unit;
#else
      EXPECT_LT(seconds, 20.0) << unit;
#endif
    }
  }
}

TEST(SentencePiece, ThreadsShareAModel) {
  HEED_NEEDS_SHARED(kMarian);
  const SentencePiece model = SentencePiece::load(shared_path(kMarian));
  const std::vector<std::string> lines = shared_lines("data/multi30k/val.de.gz");
  std::vector<std::vector<int32_t>> expected;
  for (const std::string& line : lines) expected.push_back(model.encode(line));
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < wrong.size(); ++t)
    threads.emplace_back([&, t, copy = model] {
      for (size_t i = 0; i < lines.size(); ++i) wrong[t] += copy.encode(lines[i]) == expected[i] ? 0 : 1;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(wrong, ::testing::Each(0));
}

// Does everything that may be done with a model, on text of all kinds.
void exercise(const SentencePiece& model) {
  Random random(1);
  for (const char* text : {"a group of men", "\xE4\xBD\xA0\xE5\xA5\xBD a\xCC\x8A \xFF", "aaaa  bbb<s>"}) {
    const std::vector<int32_t> ids = model.encode(text);
    model.decode(ids);
    model.encode_as_pieces(text);
    try {
      model.sample(text, 0.3, -1, random);
      model.sample(text, 0.3, 5, random);
    } catch (const UsageError&) {  // word and character models
    }
  }
  std::vector<int32_t> all(static_cast<size_t>(model.size()));
  std::iota(all.begin(), all.end(), 0);
  model.decode(all);
}

// `bytes` with some random bits flipped, `rounds` times: each is a model or a FormatError.
int accepted_flips(const std::string& bytes, int rounds, uint32_t most_flips, uint64_t seed) {
  Random random(seed);
  int accepted = 0;
  for (int round = 0; round < rounds; ++round) {
    std::string broken = bytes;
    for (uint32_t flips = 1 + random.below(most_flips); flips > 0; --flips)
      broken[random.below(static_cast<uint32_t>(broken.size()))] ^= static_cast<char>(1u << random.below(8));
    try {
      exercise(SentencePiece::from_bytes(broken, "broken"));
      ++accepted;
    } catch (const FormatError&) {}
  }
  return accepted;
}

TEST(SentencePiece, FlippedBitsNeverCrash) {
  const std::vector<SentencePieceEntry> pieces = {{"a", -1},
                                                  {"b", -2},
                                                  {"aa", -3},
                                                  {"\xE2\x96\x81"
                                                   "a",
                                                   -4},
                                                  {"\xE2\x96\x81", -5},
                                                  {"ab", -6, PieceType::kUnused},
                                                  {"<s>", 0, PieceType::kUserDefined}};
  for (const SegmentationType type : {SegmentationType::kUnigram, SegmentationType::kBpe, SegmentationType::kWord}) {
    const int accepted = accepted_flips(model_bytes(small_model(type, pieces)), 5000, 3, 1);
    EXPECT_GT(accepted, 100);
    EXPECT_LT(accepted, 4900);
  }
  HEED_NEEDS_SHARED("data/tokenizers/sentencepiece");
  for (const char* name : {"test_model", "mozilla_vocab"}) {
    const std::string file = fmt::format("data/tokenizers/sentencepiece/{}.model", name);
    EXPECT_GT(accepted_flips(read_file(shared_path(file)), 150, 8, 2), 0);
  }
}

TEST(SentencePiece, CutRealModelsAreRefused) {
  HEED_NEEDS_SHARED("data/tokenizers/sentencepiece");
  const std::string bytes = read_file(shared_path("data/tokenizers/sentencepiece/test_model.model"));
  Random random(3);
  for (int round = 0; round < 300; ++round)
    EXPECT_THROW(SentencePiece::from_bytes(bytes.substr(0, random.below(static_cast<uint32_t>(bytes.size()))), "cut"),
                 FormatError);
}

}  // namespace
}  // namespace heed::text
