#include "heed/tasks/classification_examples.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "heed/base/error.h"

namespace heed::tasks {
namespace {

using namespace std::string_view_literals;

std::optional<double> number_in(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

// The column that the user named, or the first of the usual ones.
std::optional<size_t> column_of(const data::Table& table, const std::string& given,
                                std::initializer_list<std::string_view> usual) {
  return given.empty() ? table.find(usual) : std::optional(table.column({given}));
}

}  // namespace

ClassificationExamples read_classification_examples(const std::filesystem::path& file,
                                                    const ClassificationColumns& columns, uint64_t most) {
  const data::Table table = data::Table::read(file, {columns.header, most});
  const auto need = [&](std::optional<size_t> column, std::initializer_list<std::string_view> usual) {
    return column ? *column : table.column(usual);
  };
  const auto texts = {"text"sv, "sentence"sv, "sentence1"sv, "premise"sv, "question1"sv, "question"sv, "1"sv};
  const auto pairs = {"text_pair"sv, "sentence2"sv, "hypothesis"sv, "question2"sv};
  const auto labels = {"label"sv, "labels"sv, "class"sv, "score"sv, "target"sv, "2"sv};
  const size_t text = need(column_of(table, columns.text, texts), texts);
  const size_t label = need(column_of(table, columns.label, labels), labels);
  const auto pair = columns.pair == "none" ? std::nullopt : column_of(table, columns.pair, pairs);
  ClassificationExamples examples;
  for (size_t row = 0; row < table.rows(); ++row) {
    examples.first.emplace_back(table.cell(row, text));
    if (pair) examples.second.emplace_back(table.cell(row, *pair));
    examples.labels.push_back(table.list(row, label));
    examples.has_lists = examples.has_lists || table.is_list(row, label);
    examples.places.push_back(table.where(row));
    for (const std::string& one : examples.labels.back())
      check<DataError>(!one.empty(), "{}: the label is empty", examples.places.back());
  }
  return examples;
}

models::Problem guess_problem(const ClassificationExamples& examples) {
  if (examples.has_lists) return models::Problem::kMultiLabel;
  bool all_numbers = true, some_fraction = false;
  for (const auto& labels : examples.labels) {
    all_numbers = all_numbers && number_in(labels[0]);
    some_fraction = some_fraction || labels[0].find('.') != std::string::npos;
  }
  return all_numbers && some_fraction ? models::Problem::kRegression : models::Problem::kSingleLabel;
}

std::vector<std::string> labels_in(const ClassificationExamples& examples) {
  std::set<std::string> unique;
  for (const auto& labels : examples.labels) unique.insert(labels.begin(), labels.end());
  std::vector<std::string> sorted(unique.begin(), unique.end());
  if (std::all_of(sorted.begin(), sorted.end(), [](const std::string& s) { return number_in(s).has_value(); }))
    std::sort(sorted.begin(), sorted.end(),
              [](const std::string& a, const std::string& b) { return *number_in(a) < *number_in(b); });
  return sorted;
}

ClassificationAnswers answers_of(const ClassificationExamples& examples, models::Problem problem,
                                 const std::vector<std::string>& labels) {
  ClassificationAnswers answers;
  const auto class_of = [&](const std::string& label, size_t example) {
    const auto at = std::find(labels.begin(), labels.end(), label);
    check<DataError>(at != labels.end(), "{}: the label \"{}\" is none of the model's: {}", examples.places[example],
                     label, fmt::join(labels, ", "));
    return static_cast<size_t>(at - labels.begin());
  };
  for (size_t i = 0; i < examples.size(); ++i) {
    const std::vector<std::string>& given = examples.labels[i];
    if (problem == models::Problem::kMultiLabel) {
      std::vector<float> row(labels.size());
      for (const std::string& label : given) row[class_of(label, i)] = 1;
      answers.values.insert(answers.values.end(), row.begin(), row.end());
    } else if (problem == models::Problem::kRegression) {
      check<DataError>(given.size() == labels.size(), "{}: {} numbers where the model gives {}", examples.places[i],
                       given.size(), labels.size());
      for (const std::string& text : given) {
        const auto value = number_in(text);
        check<DataError>(value.has_value(), "{}: \"{}\" is no number", examples.places[i], text);
        answers.values.push_back(static_cast<float>(*value));
      }
    } else {
      check<DataError>(given.size() == 1, "{}: {} labels, where one is expected", examples.places[i], given.size());
      answers.classes.push_back(static_cast<int32_t>(class_of(given[0], i)));
    }
  }
  return answers;
}

}  // namespace heed::tasks
