// heed tokenizer encode and decode: text to tokens or ids and back, line by line, with any tokenizer.
#include <memory>
#include <unordered_map>

#include "heed/base/json.h"
#include "heed/cli/commands.h"
#include "heed/text/line_reader.h"
#include "heed/text/marian_tokenizer.h"
#include "heed/text/pipeline_tokenizer.h"
#include "heed/text/sentencepiece.h"

namespace heed::cli {
namespace {

enum class Side { kSource, kTarget };
enum class Form { kPieces, kIds };

// A tokenizer as these commands need it.
class Pieces {
 public:
  virtual ~Pieces() = default;
  virtual std::vector<int32_t> encode(const std::string& text) const = 0;
  virtual std::string decode(const std::vector<int32_t>& ids) const = 0;
  // The texts of the tokens of `text`.
  virtual Strings encode_as_pieces(const std::string& text) const {
    Strings tokens;
    for (const int32_t id : encode(text)) tokens.push_back(token(id));
    return tokens;
  }
  virtual std::string decode_pieces(const Strings& pieces) const {
    std::vector<int32_t> ids;
    for (const std::string& piece : pieces) {
      ids.push_back(id(piece));
      check<DataError>(ids.back() >= 0, "'{}' is not in the vocabulary", piece);
    }
    return decode(ids);
  }
  virtual int32_t size() const = 0;
  // All that is known of a text's tokens.
  virtual Json describe(const std::string& text) const {
    return {{"ids", encode(text)}, {"tokens", encode_as_pieces(text)}};
  }

 protected:
  virtual std::string token(int32_t id) const = 0;
  virtual int32_t id(const std::string& token) const = 0;
};

// A SentencePiece model by itself.
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

 protected:
  std::string token(int32_t id) const override { return model_.piece(id); }
  int32_t id(const std::string& token) const override { return model_.id(token).value_or(-1); }

 private:
  text::SentencePiece model_;
};

// One language of a translation model.
class MarianPieces : public Pieces {
 public:
  MarianPieces(const std::filesystem::path& folder, Side side)
      : tokenizer_(text::MarianTokenizer::load(folder)), is_source_(side == Side::kSource) {
    for (int32_t i = 0; i < size(); ++i) ids_.emplace(token(i), i);
  }
  std::vector<int32_t> encode(const std::string& text) const override {
    return is_source_ ? tokenizer_.encode_source(text) : tokenizer_.encode_target(text);
  }
  std::string decode(const std::vector<int32_t>& ids) const override {
    return is_source_ ? tokenizer_.decode_source(ids) : tokenizer_.decode_target(ids);
  }
  int32_t size() const override { return is_source_ ? tokenizer_.source_vocab_size() : tokenizer_.target_vocab_size(); }

 protected:
  std::string token(int32_t id) const override {
    return is_source_ ? tokenizer_.source_token(id) : tokenizer_.target_token(id);
  }
  int32_t id(const std::string& token) const override {
    const auto found = ids_.find(token);
    return found == ids_.end() ? -1 : found->second;
  }

 private:
  text::MarianTokenizer tokenizer_;
  const bool is_source_;
  std::unordered_map<std::string, int32_t> ids_;
};

// Any other tokenizer.
class AnyPieces : public Pieces {
 public:
  AnyPieces(std::shared_ptr<const text::Tokenizer> tokenizer, bool special)
      : tokenizer_(std::move(tokenizer)), special_(special) {}
  std::vector<int32_t> encode(const std::string& text) const override {
    return special_ ? tokenizer_->encode(text) : tokenizer_->tokenize(text, false).ids;
  }
  std::string decode(const std::vector<int32_t>& ids) const override { return tokenizer_->decode(ids, special_); }
  int32_t size() const override { return tokenizer_->vocab_size(); }
  Json describe(const std::string& text) const override {
    const text::TokenizedText tokenized = tokenizer_->tokenize(text, special_);
    Json tokens = Json::array(), offsets = Json::array();
    for (const int32_t id : tokenized.ids) tokens.push_back(token(id));
    for (const text::CharacterSpan& span : tokenized.characters) offsets.push_back({span.begin, span.end});
    return {{"ids", tokenized.ids}, {"tokens", std::move(tokens)}, {"offsets", std::move(offsets)}};
  }

 protected:
  std::string token(int32_t id) const override { return tokenizer_->token(id); }
  int32_t id(const std::string& token) const override { return tokenizer_->id(token); }

 private:
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  const bool special_;  // encoding adds special tokens; decoding leaves them out
};

// What encode and decode have in common.
struct Conversion {
  explicit Conversion(Side usual_side) : side(usual_side) {}

  void add_to(Command& command, const char* special_option, const char* special_help) {
    Options& options = command.options();
    options.add("model", model, "A folder with a tokenizer, a tokenizer.json or a SentencePiece FILE.model").required();
    options.add("input", input, "File to read, plain, gzip or zstd; - is standard input").value_name("FILE");
    options.add_choice<Side>("side", side, {{"source", Side::kSource}, {"target", Side::kTarget}},
                             "Which language of a translation model with two vocabularies");
    options.add_choice<Form>("format", form, {{"pieces", Form::kPieces}, {"ids", Form::kIds}}, "Pieces or ids");
    options.add(special_option, special, special_help);
    special_name = special_option;
    command.use_json();
  }

  std::unique_ptr<Pieces> load(const Options& options) const {
    const bool is_folder = std::filesystem::is_directory(model);
    const bool is_json = !is_folder && model.extension() == ".json";
    const bool has_sides =
        is_folder && text::MarianTokenizer::is_in(model) && !std::filesystem::exists(model / "tokenizer.json");
    check<UsageError>(has_sides || !options.given("side"), "--side: {} has one vocabulary", model.string());
    check<UsageError>(((is_folder && !has_sides) || is_json) || !options.given(special_name),
                      "--{}: only for tokenizers that are no SentencePiece or Marian models", special_name);
    if (has_sides) return std::make_unique<MarianPieces>(model, side);
    if (is_folder) return std::make_unique<AnyPieces>(text::load_tokenizer(model), special);
    if (!is_json) return std::make_unique<ModelPieces>(model);
    return std::make_unique<AnyPieces>(text::PipelineTokenizer::from_json(read_json(model), nullptr, model.string()),
                                       special);
  }

  std::filesystem::path model;
  std::string input = "-";
  Side side;
  Form form = Form::kPieces;
  bool special = true;
  std::string special_name;
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

int run_tokenizer_encode(Command& command) {
  Conversion conversion(Side::kSource);
  command.example("heed tokenizer encode --model joint.model < test.en", "a line of pieces for each line");
  command.example("heed tokenizer encode --model model/ --side target --format ids < test.de",
                  "the ids that a translation model is given, with </s>");
  command.about(
      "Cuts each line into the tokens of a tokenizer. With --json a line is an object of ids, tokens and, but for "
      "SentencePiece and Marian models, offsets (the characters of the line that each token stands for).");
  conversion.add_to(command, "special-tokens", "Add the tokens that the model expects around a text");
  command.parse();

  const std::unique_ptr<Pieces> pieces = conversion.load(command.options());
  text::LineReader reader(conversion.input);
  for (std::string line; reader.next(line);) {
    if (command.common().json) command.output().line(pieces->describe(line).dump());
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
  command.about(
      "Puts pieces or ids, a line each, together to text. Tokens with spaces inside can be given by their ids alone.");
  conversion.add_to(command, "skip-special-tokens", "Leave special tokens out of the text");
  command.parse();

  const std::unique_ptr<Pieces> pieces = conversion.load(command.options());
  text::LineReader reader(conversion.input);
  for (std::string line; reader.next(line);) {
    std::string text;
    try {
      const Strings words = words_of(line);
      text =
          conversion.form == Form::kIds ? pieces->decode(ids_of(words, pieces->size())) : pieces->decode_pieces(words);
    } catch (const Error& error) {
      fail<DataError>("{}: {}", reader.place(), error.what());
    }
    command.output().line(command.common().json ? Json{{"text", text}}.dump() : text);
  }
  return kOk;
}

}  // namespace heed::cli
