#include "heed/data/squad.h"

#include <string_view>
#include <unordered_map>

#include "heed/base/error.h"
#include "heed/base/utf8.h"
#include "heed/data/json_lines.h"
#include "heed/text/byte_source.h"

namespace heed::data {
namespace {

const Json& list_at(const Json& object, std::string_view key, const std::string& where) {
  check<DataError>(object.is_object(), "{}: expected an object, got {}", where, kind_of(object));
  const auto found = object.find(key);
  check<DataError>(found != object.end(), "{}: the key \"{}\" is missing", where, key);
  check<DataError>(found->is_array(), "{}: \"{}\": expected a list, got {}", where, key, kind_of(*found));
  return *found;
}

class SquadReader {
 public:
  explicit SquadReader(const std::filesystem::path& file) { data_.file = file.string(); }

  SquadData read() {
    const Json root = parse_json_data(text::read_bytes(data_.file), data_.file);
    size_t article = 0;
    for (const Json& one : list_at(root, "data", data_.file)) take_article(one, ++article);
    check<DataError>(!data_.questions.empty(), "{}: holds no question", data_.file);
    return std::move(data_);
  }

 private:
  void take_article(const Json& article, size_t number) {
    std::string where = fmt::format("{}: article {}", data_.file, number);
    const Json& paragraphs = list_at(article, "paragraphs", where);
    if (const auto title = article.find("title"); title != article.end() && title->is_string())
      where += fmt::format(" ({})", title->get_ref<const std::string&>());
    size_t paragraph = 0;
    for (const Json& one : paragraphs) take_paragraph(one, fmt::format("{}, paragraph {}", where, ++paragraph));
  }

  void take_paragraph(const Json& paragraph, const std::string& where) {
    const Json& questions = list_at(paragraph, "qas", where);
    data_.contexts.push_back(text_at(paragraph, "context", where));
    context_ = to_code_points(data_.contexts.back());
    size_t number = 0;
    for (const Json& one : questions) take_question(one, fmt::format("{}, question {}", where, ++number));
  }

  void take_question(const Json& json, const std::string& place) {
    const Json& answers = list_at(json, "answers", place);
    SquadQuestion question;
    question.id = text_at(json, "id", place);
    const std::string where = fmt::format("{} ({})", place, question.id);
    question.question = text_at(json, "question", where);
    question.context = data_.contexts.size() - 1;
    question.impossible = is_impossible(json, where);
    for (const Json& one : answers) question.answers.push_back(take_answer(one, where));
    check<DataError>(question.impossible || !question.answers.empty(),
                     "{}: no answer, though \"is_impossible\" is not true", where);
    check<DataError>(!question.impossible || question.answers.empty(),
                     "{}: \"is_impossible\" is true, but there are answers", where);
    const auto [first, is_new] = places_.emplace(question.id, place);
    check<DataError>(is_new, "{}: the same id as {}", where, first->second.substr(data_.file.size() + 2));
    data_.questions.push_back(std::move(question));
  }

  static bool is_impossible(const Json& question, const std::string& where) {
    const auto found = question.find("is_impossible");
    if (found == question.end()) return false;
    check<DataError>(found->is_boolean(), "{}: \"is_impossible\": expected true or false, got {}", where,
                     kind_of(*found));
    return found->get<bool>();
  }

  SquadAnswer take_answer(const Json& json, const std::string& where) const {
    check<DataError>(json.is_object(), "{}: expected an object for an answer, got {}", where, kind_of(json));
    SquadAnswer answer{text_at(json, "text", where)};
    const auto begin = json.find("answer_start");
    check<DataError>(begin != json.end() && begin->is_number_integer(),
                     "{}: the answer \"{}\" lacks a whole number \"answer_start\"", where, answer.text);
    answer.begin = begin->get<int64_t>();
    const std::u32string text = to_code_points(answer.text);
    const auto start = static_cast<size_t>(answer.begin);
    check<DataError>(!text.empty(), "{}: an answer is empty", where);
    check<DataError>(answer.begin >= 0 && start < context_.size() && context_.compare(start, text.size(), text) == 0,
                     "{}: the answer \"{}\" does not stand at character {} of the context", where, answer.text,
                     answer.begin);
    return answer;
  }

  SquadData data_;
  std::u32string context_;                               // of the paragraph being read
  std::unordered_map<std::string, std::string> places_;  // of each id
};

}  // namespace

std::string SquadData::where(size_t question) const {
  return fmt::format("{}: question {}", file, questions[question].id);
}

SquadData read_squad(const std::filesystem::path& file) { return SquadReader(file).read(); }

}  // namespace heed::data
