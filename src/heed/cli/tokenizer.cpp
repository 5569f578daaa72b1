// heed tokenizer train, encode, decode: SentencePiece models from raw text, and text to pieces or ids and back, line by
// line.
#include <memory>
#include <unordered_map>

#include "heed/base/files.h"
#include "heed/base/json.h"
#include "heed/base/log.h"
#include "heed/cli/commands.h"
#include "heed/data/line_reader.h"
#include "heed/text/marian_tokenizer.h"
#include "heed/text/sentencepiece.h"
#include "heed/text/sentencepiece_trainer.h"

namespace heed::cli {
namespace {

enum class Side { kSource, kTarget };
enum class Form { kPieces, kIds };

// A SentencePiece model, or one language of a translation model: text to ids or pieces and back.
class Pieces {
 public:
  virtual ~Pieces() = default;
  virtual std::vector<int32_t> encode(const std::string& text) const = 0;
  virtual Strings encode_as_pieces(const std::string& text) const = 0;
  virtual std::string decode(const std::vector<int32_t>& ids) const = 0;
  virtual std::string decode_pieces(const Strings& pieces) const = 0;
  virtual int32_t size() const = 0;
};

class ModelPieces : public Pieces {
 public:
  explicit ModelPieces(const std::filesystem::path& file) : model_(text::SentencePiece::load(file)) {}
  std::vector<int32_t> encode(const std::string& text) const override { return model_.encode(text); }
  Strings encode_as_pieces(const std::string& text) const override { return model_.encode_as_pieces(text); }
  std::string decode(const std::vector<int32_t>& ids) const override { return model_.decode(ids); }
  std::string decode_pieces(const Strings& pieces) const override {
    return model_.decode_pieces(std::vector<std::string_view>(pieces.begin(), pieces.end()));
  }
  int32_t size() const override { return model_.size(); }

 private:
  text::SentencePiece model_;
};

class MarianPieces : public Pieces {
 public:
  MarianPieces(const std::filesystem::path& folder, Side side)
      : tokenizer_(text::MarianTokenizer::load(folder)), is_source_(side == Side::kSource) {
    for (int32_t id = 0; id < size(); ++id) ids_.emplace(token(id), id);
  }
  std::vector<int32_t> encode(const std::string& text) const override {
    return is_source_ ? tokenizer_.encode_source(text) : tokenizer_.encode_target(text);
  }
  Strings encode_as_pieces(const std::string& text) const override {
    Strings tokens;
    for (const int32_t id : encode(text)) tokens.push_back(token(id));
    return tokens;
  }
  std::string decode(const std::vector<int32_t>& ids) const override {
    return is_source_ ? tokenizer_.decode_source(ids) : tokenizer_.decode_target(ids);
  }
  std::string decode_pieces(const Strings& pieces) const override {
    std::vector<int32_t> ids;
    for (const std::string& piece : pieces) {
      const auto found = ids_.find(piece);
      check<DataError>(found != ids_.end(), "'{}' is not in the vocabulary", piece);
      ids.push_back(found->second);
    }
    return decode(ids);
  }
  int32_t size() const override { return is_source_ ? tokenizer_.source_vocab_size() : tokenizer_.target_vocab_size(); }

 private:
  std::string token(int32_t id) const { return is_source_ ? tokenizer_.source_token(id) : tokenizer_.target_token(id); }

  text::MarianTokenizer tokenizer_;
  const bool is_source_;
  std::unordered_map<std::string, int32_t> ids_;
};

std::unique_ptr<Pieces> load_pieces(const std::filesystem::path& model, Side side) {
  if (std::filesystem::is_directory(model)) return std::make_unique<MarianPieces>(model, side);
  return std::make_unique<ModelPieces>(model);
}

// What encode and decode have in common.
struct Conversion {
  explicit Conversion(Side usual_side) : side(usual_side) {}

  void add_to(Command& command) {
    Options& options = command.options();
    options.add("model", model, "SentencePiece model (FILE.model) or the folder of a translation model").required();
    options.add("input", input, "File to read, plain, gzip or zstd; - is standard input").value_name("FILE");
    options.add_choice<Side>("side", side, {{"source", Side::kSource}, {"target", Side::kTarget}},
                             "Which language of a translation model");
    options.add_choice<Form>("format", form, {{"pieces", Form::kPieces}, {"ids", Form::kIds}}, "Pieces or ids");
    command.use_json();
  }

  std::filesystem::path model;
  std::string input = "-";
  Side side;
  Form form = Form::kPieces;
};

Strings words_of(const std::string& line) {
  Strings words;
  size_t from = 0;
  while ((from = line.find_first_not_of(' ', from)) != std::string::npos) {
    const size_t to = std::min(line.find(' ', from), line.size());
    words.push_back(line.substr(from, to - from));
    from = to;
  }
  return words;
}

std::vector<int32_t> ids_of(const Strings& words, int32_t size) {
  std::vector<int32_t> ids;
  for (const std::string& word : words) {
    read_value(word, ids.emplace_back());
    check<DataError>(ids.back() >= 0 && ids.back() < size, "expected ids from 0 to {}, got {}", size - 1, word);
  }
  return ids;
}

}  // namespace

int run_tokenizer_train(Command& command) {
  std::vector<std::filesystem::path> inputs;
  std::filesystem::path output;
  text::SentencePieceTrainOptions train;
  command.example("heed tokenizer train --input train.en --input train.de --vocab-size 8000 --output joint.model",
                  "one vocabulary for both languages");
  command.example("heed tokenizer train --input train.en --model-type bpe --vocab-size 4000 --output en.model",
                  "byte pair encoding");
  command.about("Trains a SentencePiece model on raw text. The same text and options give the same file everywhere.");
  Options& options = command.options();
  options.add("input", inputs, "Text to train on, plain, gzip or zstd").required();
  options.add("output", output, "The .model file to write").required();
  options.add("vocab-size", train.vocab_size, "Pieces").range(3, 1 << 22);
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
  options.add("max-line-bytes", train.max_sentence_length, "Longer lines are left out, and counted").at_least(1);
  options.add("sample-lines", train.input_sentence_size, "Train on so many lines drawn at random; 0: all").at_least(0);
  options.add("seed", train.seed, "Seed of the drawing");
  command.use_json();
  command.parse();

  const text::SentencePieceTrainResult result = text::train_sentencepiece(inputs, train);
  write_file_atomically(output, result.model);
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

int run_tokenizer_encode(Command& command) {
  Conversion conversion(Side::kSource);
  command.example("heed tokenizer encode --model joint.model < test.en", "a line of pieces for each line");
  command.example("heed tokenizer encode --model model/ --side target --format ids < test.de",
                  "the ids that a translation model is given, with </s>");
  command.about("Cuts each line into the pieces of a tokenizer.");
  conversion.add_to(command);
  command.parse();

  const std::unique_ptr<Pieces> pieces = load_pieces(conversion.model, conversion.side);
  data::LineReader reader(conversion.input);
  for (std::string line; reader.next(line);) {
    if (command.common().json)
      command.output().line(Json{{"ids", pieces->encode(line)}, {"pieces", pieces->encode_as_pieces(line)}}.dump());
    else if (conversion.form == Form::kIds)
      command.output().line(fmt::format("{}", fmt::join(pieces->encode(line), " ")));
    else command.output().line(fmt::format("{}", fmt::join(pieces->encode_as_pieces(line), " ")));
  }
  return kOk;
}

int run_tokenizer_decode(Command& command) {
  Conversion conversion(Side::kTarget);
  command.example("heed tokenizer encode --model joint.model < a.txt | heed tokenizer decode --model joint.model",
                  "the text again (normalised)");
  command.example("heed tokenizer decode --model model/ --format ids < ids.txt", "what a translation model said");
  command.about("Puts pieces or ids, a line each, together to text.");
  conversion.add_to(command);
  command.parse();

  const std::unique_ptr<Pieces> pieces = load_pieces(conversion.model, conversion.side);
  data::LineReader reader(conversion.input);
  uint64_t number = 0;
  for (std::string line; reader.next(line);) {
    ++number;
    std::string text;
    try {
      const Strings words = words_of(line);
      text =
          conversion.form == Form::kIds ? pieces->decode(ids_of(words, pieces->size())) : pieces->decode_pieces(words);
    } catch (const Error& error) {
      fail<DataError>("{}:{}: {}", conversion.input == "-" ? "standard input" : conversion.input, number, error.what());
    }
    command.output().line(command.common().json ? Json{{"text", text}}.dump() : text);
  }
  return kOk;
}

}  // namespace heed::cli
