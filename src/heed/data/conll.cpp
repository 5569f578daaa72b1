#include "heed/data/conll.h"

#include <algorithm>
#include <string_view>

#include "heed/base/error.h"
#include "heed/data/json_lines.h"
#include "heed/text/line_reader.h"

namespace heed::data {
namespace {

constexpr std::string_view kDocumentStart = "-DOCSTART-";

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t") == std::string_view::npos; }

// By every TAB, or by runs of blanks.
std::vector<std::string_view> split_columns(std::string_view line, bool by_tab) {
  std::vector<std::string_view> columns;
  const char separator = by_tab ? '\t' : ' ';
  for (size_t begin = 0; begin <= line.size();) {
    const size_t end = std::min(line.find(separator, begin), line.size());
    if (by_tab || end > begin) columns.push_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return columns;
}

// Takes the lines of a column file one by one.
class ConllLines {
 public:
  ConllLines(TaggedText& text, const ConllOptions& options) : text_(text), options_(options) {}

  void take(std::string_view line, uint64_t number) {
    if (is_blank(line) || line.starts_with(kDocumentStart)) {
      is_inside_ = false;
      begins_document_ = begins_document_ || line.starts_with(kDocumentStart);
      return;
    }
    const std::string where = fmt::format("{}:{}", text_.file, number);
    if (columns_ == 0) {
      by_tab_ = line.find('\t') != std::string_view::npos;
      columns_ = split_columns(line, by_tab_).size();
      const size_t needed = std::max({options_.word_column, options_.tag_column, size_t{2}});
      check<DataError>(columns_ >= needed, "{}: expected at least {} columns, got {}", where, needed, columns_);
    }
    const auto cells = split_columns(line, by_tab_);
    check<DataError>(cells.size() == columns_, "{}: expected {} columns separated by {}, as the first line has, got {}",
                     where, columns_, by_tab_ ? "TAB" : "blanks", cells.size());
    const std::string_view word = cells[options_.word_column - 1];
    const std::string_view tag = options_.tag_column == 0 ? cells.back() : cells[options_.tag_column - 1];
    check<DataError>(!word.empty() && !tag.empty(), "{}: the {} is empty", where, word.empty() ? "word" : "tag");
    if (!is_inside_) begin_sentence(number);
    text_.sentences.back().words.emplace_back(word);
    text_.sentences.back().tags.emplace_back(tag);
  }

 private:
  void begin_sentence(uint64_t number) {
    if (begins_document_) text_.documents.push_back(text_.sentences.size());
    text_.sentences.push_back({{}, {}, number});
    begins_document_ = false;
    is_inside_ = true;
  }

  TaggedText& text_;
  const ConllOptions& options_;
  size_t columns_ = 0;  // 0: not known yet
  bool by_tab_ = false, is_inside_ = false, begins_document_ = false;
};

struct Tag {
  char prefix = 'O';
  std::string_view type;
  bool is_entity() const { return prefix != 'O' && prefix != '\0'; }
};

// A tag that is neither "O" nor a prefix and a type has the prefix 0, and is no entity.
Tag read_tag(std::string_view text) {
  if (text == "O") return {};
  constexpr std::string_view kPrefixes = "BIES";
  if (text.size() < 3 || text[1] != '-' || kPrefixes.find(text[0]) == std::string_view::npos) return {'\0', {}};
  return {text[0], text.substr(2)};
}

// Whether an entity goes on from one tag to the next.
bool continues(const Tag& last, const Tag& next) {
  const bool is_open = last.prefix == 'B' || last.prefix == 'I';
  return is_open && (next.prefix == 'I' || next.prefix == 'E') && last.type == next.type;
}

// Where some words are outside of entities and others inside, no tag is of another kind.
void check_entity_tags(const TaggedText& text) {
  bool has_outside = false, has_entity = false;
  const auto each = [&](const auto& visit) {
    for (size_t s = 0; s < text.sentences.size(); ++s)
      for (size_t w = 0; w < text.sentences[s].tags.size(); ++w) visit(s, w, read_tag(text.sentences[s].tags[w]));
  };
  each([&](size_t, size_t, const Tag& tag) {
    has_outside = has_outside || tag.prefix == 'O';
    has_entity = has_entity || tag.is_entity();
  });
  if (!has_outside || !has_entity) return;
  each([&](size_t s, size_t w, const Tag& tag) {
    check<DataError>(tag.prefix != '\0', "{}: the tag \"{}\" is neither O nor a type behind B-, I-, E- or S-",
                     text.where(s, w), text.sentences[s].tags[w]);
  });
}

}  // namespace

std::string TaggedText::where(size_t sentence, size_t word) const {
  return fmt::format("{}:{}", file, sentences[sentence].line + (one_word_a_line ? word : 0));
}

TaggedText read_conll(const std::filesystem::path& file, const ConllOptions& options) {
  check<UsageError>(options.word_column > 0, "columns are counted from 1");
  TaggedText text;
  text.file = file.string();
  text::LineReader reader(text.file, {.strict = true});
  ConllLines lines(text, options);
  for (std::string line; reader.next(line);) lines.take(line, reader.report().lines);
  check<DataError>(!text.sentences.empty(), "{}: holds no sentence", text.file);
  return text;
}

TaggedText read_tagged_jsonl(const std::filesystem::path& file, const std::string& words_key,
                             const std::string& tags_key) {
  TaggedText text;
  text.file = file.string();
  text.one_word_a_line = false;
  JsonLines lines(text.file);
  for (Json object; lines.next(object);) {
    TaggedSentence sentence{texts_at(object, words_key, lines.where()), texts_at(object, tags_key, lines.where()),
                            lines.line()};
    check<DataError>(sentence.words.size() == sentence.tags.size(), "{}: {} words in \"{}\", but {} tags in \"{}\"",
                     lines.where(), sentence.words.size(), words_key, sentence.tags.size(), tags_key);
    check<DataError>(std::ranges::find(sentence.tags, "") == sentence.tags.end(), "{}: a tag is empty", lines.where());
    if (!sentence.words.empty()) text.sentences.push_back(std::move(sentence));
  }
  check<DataError>(!text.sentences.empty(), "{}: holds no sentence", text.file);
  return text;
}

TagScheme detect_tag_scheme(std::span<const TaggedSentence> sentences) {
  bool has_entity = false, has_end = false, begins_inside = false;
  for (const TaggedSentence& sentence : sentences) {
    Tag last;
    for (const std::string& text : sentence.tags) {
      const Tag tag = read_tag(text);
      if (tag.prefix == '\0') return TagScheme::kPlain;
      has_entity = has_entity || tag.is_entity();
      has_end = has_end || tag.prefix == 'E' || tag.prefix == 'S';
      begins_inside = begins_inside || (tag.prefix == 'I' && !continues(last, tag));
      last = tag;
    }
  }
  if (!has_entity) return TagScheme::kPlain;
  if (has_end) return TagScheme::kBioes;
  return begins_inside ? TagScheme::kIob1 : TagScheme::kBio;
}

std::string name_of(TagScheme scheme) {
  switch (scheme) {
    case TagScheme::kIob1: return "IOB1";
    case TagScheme::kBio: return "BIO";
    case TagScheme::kBioes: return "BIOES";
    case TagScheme::kPlain: break;
  }
  return "plain";
}

std::vector<std::string> to_bio(std::span<const std::string> tags) {
  std::vector<std::string> bio;
  Tag last;
  for (const std::string& text : tags) {
    const Tag tag = read_tag(text);
    bio.push_back(tag.is_entity() ? fmt::format("{}-{}", continues(last, tag) ? 'I' : 'B', tag.type) : "O");
    last = tag;
  }
  return bio;
}

TagScheme convert_to_bio(TaggedText& text) {
  check_entity_tags(text);
  const TagScheme scheme = detect_tag_scheme(text.sentences);
  if (scheme == TagScheme::kIob1 || scheme == TagScheme::kBioes)
    for (TaggedSentence& sentence : text.sentences) sentence.tags = to_bio(sentence.tags);
  return scheme;
}

}  // namespace heed::data
