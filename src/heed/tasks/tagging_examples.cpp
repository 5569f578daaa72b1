#include "heed/tasks/tagging_examples.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "heed/base/error.h"
#include "heed/base/threads.h"

namespace heed::tasks {
namespace {

std::string_view type_of(std::string_view tag) {
  const size_t dash = tag.find('-');
  return dash == std::string_view::npos ? tag : tag.substr(dash + 1);
}

// The class of a tag; -100: the model has its type, but not in this place of an entity.
int32_t class_of(const data::TaggedText& text, size_t sentence, size_t word, const std::vector<std::string>& labels) {
  const std::string& tag = text.sentences[sentence].tags[word];
  if (const auto at = std::ranges::find(labels, tag); at != labels.end())
    return static_cast<int32_t>(at - labels.begin());
  const bool known = tag == "O" || std::ranges::any_of(labels, [&](const std::string& label) {
                       return label != "O" && type_of(label) == type_of(tag);
                     });
  check<DataError>(known, "{}: the tag \"{}\" of \"{}\" is none of the model's: {}", text.where(sentence, word), tag,
                   text.sentences[sentence].words[word], fmt::join(labels, ", "));
  return -100;
}

void append_token(const text::TokenizedText& from, size_t i, TaggingExample& to) {
  to.tokens.ids.push_back(from.ids[i]);
  to.tokens.types.push_back(from.types[i]);
  to.tokens.characters.push_back(from.characters[i]);
  to.tokens.words.push_back(from.words[i]);
  to.tokens.texts.push_back(from.texts[i]);
  to.classes.push_back(-100);
}

// Appends the text's next sentence to an example, which may be empty so far.
void append_sentence(const data::TaggedText& text, const text::TokenizedText& tokens,
                     const std::vector<std::string>& labels, TaggingExample& to) {
  const size_t sentence = to.first_sentence + to.sentences;
  size_t first = 0, last = tokens.ids.size();
  while (first < last && tokens.texts[first] < 0) ++first;
  while (last > first && tokens.texts[last - 1] < 0) --last;
  if (to.sentences++ == 0) {
    for (size_t i = 0; i < first; ++i) append_token(tokens, i, to);
    to.begin = to.tokens.ids.size();
  } else {
    // What ended the text so far stands between the two now.
    for (size_t i = to.end; i < to.tokens.ids.size(); ++i) to.tokens.texts[i] = 0;
  }
  const size_t words_before = to.firsts.size();
  to.firsts.resize(words_before + text.sentences[sentence].words.size(), -1);
  for (size_t i = first; i < last; ++i) {
    const auto word = static_cast<size_t>(tokens.words[i]);
    int32_t& first_of_word = to.firsts[words_before + word];
    append_token(tokens, i, to);
    if (first_of_word >= 0) continue;
    first_of_word = static_cast<int32_t>(to.tokens.ids.size() - 1);
    to.classes.back() = class_of(text, sentence, word, labels);
  }
  to.end = to.tokens.ids.size();
  for (size_t i = last; i < tokens.ids.size(); ++i) append_token(tokens, i, to);
}

}  // namespace

data::TaggedText read_tagged(const std::filesystem::path& file, uint64_t most) {
  std::filesystem::path name = file;
  if (name.extension() == ".gz" || name.extension() == ".zst") name = name.stem();
  const bool json = name.extension() == ".jsonl" || name.extension() == ".json";
  data::TaggedText text = json ? data::read_tagged_jsonl(file) : data::read_conll(file);
  data::convert_to_bio(text);
  if (most > 0 && text.sentences.size() > most) text.sentences.resize(most);
  return text;
}

std::vector<std::string> tags_in(const data::TaggedText& text) {
  std::set<std::string> unique;
  for (const data::TaggedSentence& sentence : text.sentences) unique.insert(sentence.tags.begin(), sentence.tags.end());
  std::vector<std::string> tags(unique.begin(), unique.end());
  std::ranges::sort(tags, [](const std::string& a, const std::string& b) {
    return std::tuple(a != "O", type_of(a), a) < std::tuple(b != "O", type_of(b), b);
  });
  return tags;
}

std::vector<TaggingExample> make_tagging_examples(const data::TaggedText& text, const text::Tokenizer& tokenizer,
                                                  const std::vector<std::string>& labels, TagContext context) {
  const auto& sentences = text.sentences;
  std::vector<text::TokenizedText> tokens(sentences.size());
  parallel_for(std::ssize(sentences), 64, [&](int64_t begin, int64_t end, int) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
      tokens[i] = tokenizer.tokenize_words(sentences[i].words);
  });
  const bool joins = context == TagContext::kDocument && !text.documents.empty();
  std::vector<TaggingExample> examples;
  for (size_t i = 0; i < sentences.size(); ++i) {
    check<DataError>(!tokens[i].ids.empty(), "{}: the sentence has no tokens", text.where(i));
    if (i == 0 || !joins || std::ranges::binary_search(text.documents, i)) examples.emplace_back().first_sentence = i;
    append_sentence(text, tokens[i], labels, examples.back());
  }
  return examples;
}

}  // namespace heed::tasks
