// heed tag: lines in, their entities out, in order.
#include "heed/base/utf8.h"
#include "heed/cli/commands.h"
#include "heed/cli/text_rows.h"
#include "heed/tasks/tagging.h"

namespace heed::cli {
namespace {

struct TaggedLine {
  std::string text;
  text::TokenizedText tokens;
};

// The words of a line, at white space, and how many code points come before each.
struct Words {
  std::vector<std::string> words;
  std::vector<uint32_t> begins;
};

Words words_of(const std::string& line) {
  Words result;
  uint32_t place = 0;
  bool inside = false;
  for (size_t at = 0; at < line.size(); ++place) {
    const size_t length = decode_utf8(std::string_view(line).substr(at)).length;
    const bool space = line[at] == ' ' || line[at] == '\t';
    if (!space && !inside) {
      result.words.emplace_back();
      result.begins.push_back(place);
    }
    if (!space) result.words.back() += line.substr(at, length);
    inside = !space;
    at += length;
  }
  return result;
}

// A text that is given as words: its tokens' places counted in the line.
text::TokenizedText tokenize_words(const text::Tokenizer& tokenizer, const std::string& line) {
  const Words words = words_of(line);
  text::TokenizedText tokens = tokenizer.tokenize_words(words.words);
  for (size_t i = 0; i < tokens.ids.size(); ++i) {
    if (tokens.words[i] < 0) continue;
    const uint32_t begin = words.begins[static_cast<size_t>(tokens.words[i])];
    tokens.characters[i].begin += begin;
    tokens.characters[i].end += begin;
  }
  return tokens;
}

std::string as_json(const TaggedLine& line, const tasks::TaggedText& tagged, bool words) {
  const tasks::TextParts part_of(line.text);
  Json json{{"entities", Json::array()}};
  for (const tasks::TaggedEntity& e : tagged.entities)
    json["entities"].push_back({{"type", e.type},
                                {"score", e.score},
                                {"begin", e.characters.begin},
                                {"end", e.characters.end},
                                {"text", part_of(e.characters)}});
  if (words) {
    json["words"] = Json::array();
    for (const tasks::TaggedWord& w : tagged.words)
      json["words"].push_back({{"tag", w.tag},
                               {"score", w.score},
                               {"begin", w.characters.begin},
                               {"end", w.characters.end},
                               {"text", part_of(w.characters)}});
  }
  return json_line(json);
}

std::string as_text(const TaggedLine& line, const tasks::TaggedText& tagged, bool words) {
  const tasks::TextParts part_of(line.text);
  std::string text;
  const auto add = [&](const std::string& name, text::CharacterSpan at) {
    text += fmt::format("{}{}:{}-{}:{}", text.empty() ? "" : "\t", name, at.begin, at.end, part_of(at));
  };
  if (words)
    for (const tasks::TaggedWord& w : tagged.words) add(w.tag, w.characters);
  else
    for (const tasks::TaggedEntity& e : tagged.entities) add(e.type, e.characters);
  return text;
}

}  // namespace

int run_tag(Command& command) {
  std::filesystem::path folder;
  bool words = false, all_words = false;
  auto aggregation = tasks::Aggregation::kFirst;
  command.about(
      "Finds entities in each line of standard input (or of a file): TYPE:BEGIN-END:TEXT for each, with tabs between "
      "them; places are counted in characters (code points) of the line. Line n of the output is line n of the input. "
      "Tags may be of any of the schemes IOB1, IOB2, IOE, IOBES.");
  command.example("heed tag --model model/ < news.txt", "the entities of each line");
  command.example("heed tag --model model/ --words --all --json < tokens.txt", "a tag for each of the words given");
  Options& options = command.options();
  options.add("model", folder, "Folder of the model").required();
  options.add("words", words, "The text is cut into words already, with spaces between them");
  options.add("all", all_words, "The tag of every word, not only entities");
  options.add_choice<tasks::Aggregation>("aggregation", aggregation,
                                         {{"first", tasks::Aggregation::kFirst},
                                          {"average", tasks::Aggregation::kAverage},
                                          {"max", tasks::Aggregation::kMax},
                                          {"token", tasks::Aggregation::kToken}},
                                         "Which of a word's tokens decide on its tag; token: each for itself");
  TextRows rows(command);
  command.parse();

  const auto tagger = tasks::Tagger::load(folder, command.load_options());
  rows.run(
      [&](const std::string& line) {
        return TaggedLine{line, words ? tokenize_words(*tagger.tokenizer, line) : tagger.tokenizer->tokenize(line)};
      },
      [&](const std::vector<TaggedLine>& lines) {
        std::vector<text::TokenizedText> texts;
        texts.reserve(lines.size());
        for (const TaggedLine& line : lines) texts.push_back(line.tokens);
        return tagger.tag(texts, aggregation, rows.batch_size());
      },
      [&](const TaggedLine& line, const tasks::TaggedText& tagged) {
        command.output().line(command.common().json ? as_json(line, tagged, all_words)
                                                    : as_text(line, tagged, all_words));
      });
  return kOk;
}

}  // namespace heed::cli
