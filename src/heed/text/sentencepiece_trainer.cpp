#include "heed/text/sentencepiece_trainer.h"

#include <sentencepiece_trainer.h>

#include <algorithm>
#include <regex>
#include <unordered_map>
#include <utility>

#include "heed/base/error.h"
#include "heed/base/random.h"
#include "heed/base/utf8.h"
#include "heed/text/line_reader.h"
#include "heed/text/normalizer.h"
#include "heed/text/pieces.h"

namespace heed::text {
namespace {

constexpr std::string_view kReservedCharacter = "\xE2\x96\x85";  // U+2585, the trainer's own mark for rare characters
constexpr int64_t kHugeCorpus = int64_t{1} << 30;                // characters; beyond, its indices need 64 bits

using Arguments = std::unordered_map<std::string, std::string>;

const char* type_name(SegmentationType type) {
  switch (type) {
    case SegmentationType::kUnigram: return "unigram";
    case SegmentationType::kBpe: return "bpe";
    case SegmentationType::kWord: return "word";
    case SegmentationType::kCharacter: return "char";
  }
  return "";
}

void check_options(const SentencePieceTrainOptions& o) {
  check<ConfigError>(o.vocab_size > 0, "tokenizer: expected a positive vocab_size, got {}", o.vocab_size);
  check<ConfigError>(o.character_coverage >= 0.98 && o.character_coverage <= 1,
                     "tokenizer: expected a character_coverage of 0.98 to 1, got {}", o.character_coverage);
  check<ConfigError>(o.max_sentence_length >= 10 && o.max_sentence_length <= 1 << 30,
                     "tokenizer: expected a max_sentence_length of 10 to 2^30, got {}", o.max_sentence_length);
  check<ConfigError>(o.input_sentence_size == 0 || o.input_sentence_size > 100,
                     "tokenizer: expected an input_sentence_size of 0 or more than 100, got {}", o.input_sentence_size);
  check<ConfigError>(o.threads >= 1 && o.threads <= 1024, "tokenizer: expected 1 to 1024 threads, got {}", o.threads);
  check<ConfigError>(o.unk_id >= 0, "tokenizer: expected unk_id of 0 or more, got {}", o.unk_id);
  for (const std::string& symbol : o.user_defined_symbols)
    check<ConfigError>(!symbol.empty() && is_valid_utf8(symbol) && symbol.find('\0') == std::string::npos,
                       "tokenizer: expected a user-defined symbol to be UTF-8 text, got \"{}\"", to_valid_utf8(symbol));
}

// Text of our own for libsentencepiece to read; each line is freed once it was read.
class Feeder : public sentencepiece::SentenceIterator {
 public:
  explicit Feeder(std::vector<std::string> lines) : lines_(std::move(lines)) {}
  bool done() const override { return at_ == lines_.size(); }
  void Next() override { std::string().swap(lines_[at_++]); }
  const std::string& value() const override { return lines_[at_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  std::vector<std::string> lines_;
  size_t at_ = 0;
};

// Calls the trainer and turns its errors into ours.
std::string run_trainer(const Arguments& arguments, std::vector<std::string> lines) {
  Feeder feeder(std::move(lines));
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(arguments, &feeder, &model);
  if (status.ok()) return model;
  const std::string message = status.message();
  std::smatch match;
  if (std::regex_search(message, match, std::regex(R"(Vocabulary size too high \((\d+)\).*<= (\d+))")))
    fail<ConfigError>("tokenizer: a vocabulary of {} pieces is more than this text yields: expected at most {}",
                      match[1].str(), match[2].str());
  if (std::regex_search(message, match, std::regex(R"((\d+) vs (\d+))")) &&
      message.find("required_chars") != std::string::npos)
    fail<ConfigError>(
        "tokenizer: a vocabulary of {} pieces does not hold the characters of this text: expected at "
        "least {}, or a lower character_coverage",
        match[1].str(), match[2].str());
  fail<ConfigError>("tokenizer: sentencepiece refused: {}", message);
}

// The normaliser that the trainer will use, got from it by training on one letter.
Normalizer rule_normalizer(const std::string& rule) {
  const std::string model = run_trainer(
      {{"model_type", "char"}, {"vocab_size", "8"}, {"normalization_rule_name", rule}, {"minloglevel", "3"}}, {"a"});
  const SentencePieceModel parsed = parse_sentencepiece_model(model, rule);
  return Normalizer(parsed.normalizer, false, nullptr, rule);
}

// The lines to train on: those that something remains of, and of these all or as many as asked for, drawn by reservoir
// sampling (Vitter's algorithm R).
std::vector<std::string> read_lines(const std::vector<std::filesystem::path>& inputs,
                                    const SentencePieceTrainOptions& options, const Normalizer& normalizer,
                                    SentencePieceTrainResult& result) {
  std::vector<std::string> lines;
  std::string line, normalized;
  Random random(options.seed);
  int64_t usable = 0;
  for (const std::filesystem::path& input : inputs) {
    LineReader reader(input.string());
    uint64_t malformed = 0;
    while (reader.next(line)) {
      ++result.lines;
      result.bad_utf8 += reader.report().invalid_utf8 > malformed ? 1 : 0;
      malformed = reader.report().invalid_utf8;
      if (line.size() > static_cast<size_t>(options.max_sentence_length)) {
        ++result.too_long;
        continue;
      }
      normalizer.normalize(line, normalized);
      if (normalized.empty()) {
        ++result.blank;
        continue;
      }
      if (line.find(kReservedCharacter) != std::string::npos) {
        ++result.reserved;
        continue;
      }
      ++usable;
      if (options.input_sentence_size == 0 || usable <= options.input_sentence_size) {
        lines.push_back(line);
        continue;
      }
      const auto place = static_cast<int64_t>(random.uniform() * static_cast<double>(usable));
      if (place < options.input_sentence_size) lines[static_cast<size_t>(place)] = line;
      ++result.not_drawn;
    }
  }
  result.used = static_cast<int64_t>(lines.size());
  return lines;
}

// Counts what the trainer will see, and makes sure that there is text besides special symbols: where there is none, the
// trainer does not return an error but ends the process. Returns the number of characters.
int64_t check_text(const std::vector<std::string>& lines, const SentencePieceTrainOptions& options,
                   const Normalizer& normalizer, SentencePieceTrainResult& result) {
  std::vector<std::string> special{"<unk>"};
  if (options.bos_id >= 0) special.emplace_back("<s>");
  if (options.eos_id >= 0) special.emplace_back("</s>");
  if (options.pad_id >= 0) special.emplace_back("<pad>");
  special.insert(special.end(), options.user_defined_symbols.begin(), options.user_defined_symbols.end());
  std::sort(special.begin(), special.end());
  special.erase(std::unique(special.begin(), special.end()), special.end());
  std::vector<Trie::Entry> entries;
  entries.reserve(special.size());
  for (const std::string& s : special) entries.push_back({s, 0});
  const Trie symbols(std::move(entries));

  int64_t characters = 0, spaces = 0;
  int64_t boundaries = 0;  // the trainer puts a tab in the place of a special symbol
  std::string normalized;
  for (const std::string& line : lines) {
    normalizer.normalize(line, normalized);
    for (std::string_view rest = normalized; !rest.empty();) {
      const size_t symbol = symbols.longest_prefix(rest);
      if (symbol > 0 || rest[0] == '\t') ++boundaries;
      else if (rest.starts_with(kSpaceSymbol)) ++spaces;
      else if (rest[0] != '\0') ++characters;
      rest.remove_prefix(symbol > 0 ? symbol : character_length(rest));
    }
  }
  const auto all = static_cast<double>(characters + spaces + boundaries);
  const double text_share = static_cast<double>(characters + spaces) / std::max(all, 1.0);
  check<DataError>(characters > 0 && text_share > 1 - options.character_coverage,
                   "tokenizer: expected text to train on, got {} lines ({} of them blank, {} too long) with {} "
                   "characters beside special symbols",
                   result.lines, result.blank, result.too_long, characters);
  return characters + spaces + boundaries;
}

// A comma-separated list whose items may hold commas and quotes.
std::string join_quoted(const std::vector<std::string>& items) {
  std::string joined;
  for (const std::string& item : items) {
    if (!joined.empty()) joined += ',';
    joined += '"';
    for (const char c : item) joined += c == '"' ? "\"\"" : std::string(1, c);
    joined += '"';
  }
  return joined;
}

}  // namespace

SentencePieceTrainResult train_sentencepiece(const std::vector<std::filesystem::path>& inputs,
                                             const SentencePieceTrainOptions& options) {
  check_options(options);
  const Normalizer normalizer = rule_normalizer(options.normalization_rule);
  SentencePieceTrainResult result;
  std::vector<std::string> lines = read_lines(inputs, options, normalizer, result);
  const int64_t characters = check_text(lines, options, normalizer, result);
  const auto number = [](auto value) { return fmt::format("{}", value); };
  Arguments arguments{
      {"model_type", type_name(options.model_type)},
      {"vocab_size", number(options.vocab_size)},
      {"hard_vocab_limit", options.hard_vocab_limit ? "true" : "false"},
      {"character_coverage", number(options.character_coverage)},
      {"byte_fallback", options.byte_fallback ? "true" : "false"},
      {"unk_id", number(options.unk_id)},
      {"bos_id", number(options.bos_id)},
      {"eos_id", number(options.eos_id)},
      {"pad_id", number(options.pad_id)},
      {"normalization_rule_name", options.normalization_rule},
      {"max_sentence_length", number(options.max_sentence_length)},
      {"num_threads", number(options.threads)},
      {"minloglevel", "3"},
  };
  if (!options.user_defined_symbols.empty())
    arguments["user_defined_symbols"] = join_quoted(options.user_defined_symbols);
  if (characters > kHugeCorpus) arguments["train_extremely_large_corpus"] = "true";
  result.model = run_trainer(arguments, std::move(lines));
  return result;
}

}  // namespace heed::text
