// heed tokenizer train: a SentencePiece model, or a tokenizer.json of bytes, word pieces, a unigram model or
// characters, from raw text.
#include <optional>

#include "heed/base/files.h"
#include "heed/base/json.h"
#include "heed/base/log.h"
#include "heed/cli/commands.h"
#include "heed/text/line_reader.h"
#include "heed/text/sentencepiece.h"
#include "heed/text/sentencepiece_trainer.h"
#include "heed/text/tokenizer_trainer.h"

namespace heed::cli {
namespace {

enum class Kind { kSentencePiece, kByteBpe, kWordPiece, kUnigram, kCharacters };

// Options that belong to some kinds alone.
constexpr const char* kOfSentencePiece[] = {"model-type",    "hard-vocab-limit", "character-coverage", "byte-fallback",
                                            "normalization", "symbol",           "sample-lines",       "seed"};
constexpr const char* kOfTokenizerJson[] = {"special", "min-frequency", "limit-alphabet", "lowercase"};

text::TokenizerKind kind_of(Kind kind) {
  switch (kind) {
    case Kind::kWordPiece: return text::TokenizerKind::kWordPiece;
    case Kind::kUnigram: return text::TokenizerKind::kUnigram;
    case Kind::kCharacters: return text::TokenizerKind::kCharacters;
    default: return text::TokenizerKind::kByteBpe;
  }
}

// An option that the chosen kind would not look at is a mistake.
void check_options(const Options& options, Kind kind) {
  const bool sentencepiece = kind == Kind::kSentencePiece;
  const auto refuse = [&](const char* name, const char* whose) {
    check<UsageError>(!options.given(name), "--{} is an option of {}", name, whose);
  };
  if (!sentencepiece)
    for (const char* name : kOfSentencePiece) refuse(name, "--kind sentencepiece");
  if (sentencepiece)
    for (const char* name : kOfTokenizerJson) refuse(name, "the other kinds (--kind)");
  if (kind != Kind::kWordPiece && !sentencepiece) refuse("lowercase", "--kind wordpiece");
  if (kind == Kind::kByteBpe) refuse("limit-alphabet", "the other kinds: bytes are the alphabet");
  if (kind == Kind::kCharacters) refuse("min-frequency", "the other kinds: a character needs no merging");
}

int train_sentencepiece(Command& command, const std::vector<std::filesystem::path>& inputs,
                        const std::filesystem::path& output, const text::SentencePieceTrainOptions& train) {
  const text::SentencePieceTrainResult result = text::train_sentencepiece(inputs, train);
  write_output(output, result.model);
  const auto pieces = text::SentencePiece::from_bytes(result.model, output.string()).size();
  const int64_t left_out = result.blank + result.too_long + result.reserved + result.not_drawn;
  if (result.too_long > 0)
    log().warn("{} lines of more than {} bytes were left out (--max-line-bytes)", result.too_long,
               train.max_sentence_length);
  if (result.bad_utf8 > 0) log().warn("{} lines hold malformed UTF-8, read as U+FFFD", result.bad_utf8);
  if (command.common().json)
    command.output().line(Json{
        {"model", output.string()},
        {"pieces", pieces},
        {"lines", result.lines},
        {"used", result.used},
        {"blank", result.blank},
        {"too_long", result.too_long},
        {"reserved", result.reserved},
        {"not_drawn", result.not_drawn},
        {"bad_utf8",
         result.bad_utf8}}.dump());
  else
    command.output().line(
        fmt::format("{}: {} pieces from {} lines ({} left out)", output.string(), pieces, result.used, left_out));
  return kOk;
}

// Counts the words of all inputs, then trains.
int train_tokenizer(Command& command, const std::vector<std::filesystem::path>& inputs,
                    const std::filesystem::path& output, const text::TokenizerTrainOptions& train,
                    uint64_t max_line_bytes) {
  text::TokenizerTrainer trainer(train);
  Progress progress = command.progress();
  uint64_t too_long = 0;
  for (const auto& input : inputs) {
    text::LineReader reader(input.string());
    for (std::string line; reader.next(line);) {
      if (line.size() > max_line_bytes) ++too_long;
      else trainer.add(line);
      progress.update([&] { return fmt::format("{} lines", format_count(static_cast<double>(trainer.lines()))); });
    }
  }
  if (too_long > 0)
    log().warn("{} lines of more than {} bytes were left out (--max-line-bytes)", too_long, max_line_bytes);
  const text::TrainedTokenizer trained = trainer.train(
      [&](size_t done, size_t total) { progress.update([&] { return fmt::format("training {}/{}", done, total); }); });
  text::save_tokenizer(trained, output);
  progress.finish(fmt::format("{} lines read", trainer.lines()));
  if (trainer.words().too_long() > 0)
    log().warn("{} words of more than {} bytes were left out", trainer.words().too_long(),
               text::WordCounts::kLongestWord);
  if (trainer.words().forgotten() > 0)
    log().warn("{} occurrences of rare words were forgotten: the text has more different words than fit into memory",
               trainer.words().forgotten());
  if (trained.tokens < train.vocab_size && train.kind != text::TokenizerKind::kCharacters)
    log().warn("the text is enough for {} tokens only, of {}", trained.tokens, train.vocab_size);
  if (command.common().json)
    command.output().line(Json{{"folder", output.string()},
                               {"tokens", trained.tokens},
                               {"lines", trainer.lines()},
                               {"too_long", too_long},
                               {"words_too_long", trainer.words().too_long()},
                               {"words_forgotten", trainer.words().forgotten()}}
                              .dump());
  else
    command.output().line(fmt::format("{}: {} tokens from {} lines", output.string(), trained.tokens, trainer.lines()));
  return kOk;
}

void add_sentencepiece_options(Options& options, text::SentencePieceTrainOptions& train) {
  options.section("Of --kind sentencepiece");
  using enum text::SegmentationType;
  options.add_choice<text::SegmentationType>(
      "model-type", train.model_type, {{"unigram", kUnigram}, {"bpe", kBpe}, {"word", kWord}, {"char", kCharacter}},
      "How text is cut");
  options.add("hard-vocab-limit", train.hard_vocab_limit, "A text too small for the vocabulary size is an error");
  options.add("character-coverage", train.character_coverage, "Share of characters with pieces of their own")
      .range(0.98, 1);
  options.add("byte-fallback", train.byte_fallback, "Write unknown characters as bytes");
  options.add("normalization", train.normalization_rule, "How text is made uniform")
      .choices({"nmt_nfkc", "nmt_nfkc_cf", "nfkc", "nfkc_cf", "identity"});
  options.add("symbol", train.user_defined_symbols, "A piece that is never cut");
  options.add("sample-lines", train.input_sentence_size, "Train on so many lines drawn at random; 0: all").at_least(0);
  options.add("seed", train.seed, "Seed of the drawing");
}

void add_tokenizer_options(Options& options, text::TokenizerTrainOptions& train, uint64_t& limit_alphabet) {
  options.section("Of the other kinds");
  options.add("special", train.special_tokens, "A further special token, behind the kind's own");
  options.add("min-frequency", train.min_frequency, "Pairs, or substrings, that occur less often make no token")
      .at_least(1);
  options.add("limit-alphabet", limit_alphabet, "Keep so many characters, the most frequent; 0: all").at_least(0);
  options.add("lowercase", train.lowercase, "Word pieces: lower-case text and remove its accents");
}

}  // namespace

int run_tokenizer_train(Command& command) {
  std::vector<std::filesystem::path> inputs;
  std::filesystem::path output;
  Kind kind = Kind::kSentencePiece;
  text::SentencePieceTrainOptions model;
  text::TokenizerTrainOptions tokenizer;
  std::optional<int> longest_line;
  uint64_t limit_alphabet = 0;
  command.example("heed tokenizer train --input train.en --input train.de --vocab-size 8000 --output joint.model",
                  "one SentencePiece vocabulary for both languages");
  command.example("heed tokenizer train --kind byte-bpe --input book.txt --vocab-size 16000 --output tokenizer/",
                  "a folder with tokenizer.json, as GPT-2's");
  command.example("heed tokenizer train --kind characters --input book.txt --output tokenizer/",
                  "each character a token");
  command.about(
      "Trains a tokenizer on raw text: a SentencePiece model (a file), or byte-level BPE, WordPiece, Unigram or "
      "characters (a folder with tokenizer.json). The same text and options give the same files everywhere.");
  Options& options = command.options();
  options.add("input", inputs, "Text to train on, plain, gzip or zstd").required();
  options.add("output", output, "The .model file, or the folder, to write").required();
  options.add_choice<Kind>("kind", kind,
                           {{"sentencepiece", Kind::kSentencePiece},
                            {"byte-bpe", Kind::kByteBpe},
                            {"wordpiece", Kind::kWordPiece},
                            {"unigram", Kind::kUnigram},
                            {"characters", Kind::kCharacters}},
                           "What to train");
  options.add("vocab-size", model.vocab_size, "Pieces or tokens; for characters at most so many").range(3, 1 << 22);
  options.add("max-line-bytes", longest_line, "Longer lines are left out, and counted")
      .at_least(1)
      .default_text("1048576; of sentencepiece 4192");
  add_sentencepiece_options(options, model);
  add_tokenizer_options(options, tokenizer, limit_alphabet);
  command.use_json();
  command.parse();

  check_options(options, kind);
  model.max_sentence_length = longest_line.value_or(model.max_sentence_length);
  if (kind == Kind::kSentencePiece) check_output(output);
  if (kind == Kind::kSentencePiece) return train_sentencepiece(command, inputs, output, model);
  tokenizer.kind = kind_of(kind);
  tokenizer.vocab_size = static_cast<size_t>(model.vocab_size);
  tokenizer.limit_alphabet = limit_alphabet;
  // Running text has long lines; the trainer of SentencePiece has not the memory for them.
  return train_tokenizer(command, inputs, output, tokenizer, static_cast<uint64_t>(longest_line.value_or(1 << 20)));
}

}  // namespace heed::cli
