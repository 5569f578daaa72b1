#include "heed/tasks/classification_examples.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <set>

#include "heed/base/error.h"
#include "heed/base/threads.h"
#include "heed/tasks/encoder_texts.h"

namespace heed::tasks {
namespace {

using namespace std::string_view_literals;

std::optional<double> number_in(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

// The column that the user named, or the first of the usual ones, if there is one.
std::optional<size_t> find_column(const data::Table& table, const std::string& given,
                                  std::initializer_list<std::string_view> usual) {
  return given.empty() ? table.find(usual) : std::optional(table.column({given}));
}

// The same where there must be one.
size_t column_of(const data::Table& table, const std::string& given, std::initializer_list<std::string_view> usual) {
  return given.empty() ? table.column(usual) : table.column({given});
}

// The texts of a table's rows, without labels.
ClassificationExamples texts_of(const data::Table& table, const ClassificationColumns& columns) {
  const auto texts = {"text"sv, "sentence"sv, "sentence1"sv, "premise"sv, "question1"sv, "question"sv, "1"sv};
  const auto pairs = {"text_pair"sv, "sentence2"sv, "hypothesis"sv, "question2"sv};
  const size_t text = column_of(table, columns.text, texts);
  const auto pair = columns.pair == "none" ? std::nullopt : find_column(table, columns.pair, pairs);
  ClassificationExamples examples;
  for (size_t row = 0; row < table.rows(); ++row) {
    examples.first.emplace_back(table.cell(row, text));
    if (pair) examples.second.emplace_back(table.cell(row, *pair));
    examples.places.push_back(table.where(row));
  }
  return examples;
}

}  // namespace

ClassificationExamples read_classification_examples(const std::filesystem::path& file,
                                                    const ClassificationColumns& columns, uint64_t most) {
  const data::Table table = data::Table::read(file, {columns.header, most});
  ClassificationExamples examples = texts_of(table, columns);
  const size_t label =
      column_of(table, columns.label, {"label"sv, "labels"sv, "class"sv, "score"sv, "target"sv, "2"sv});
  for (size_t row = 0; row < table.rows(); ++row) {
    examples.labels.push_back(table.list(row, label));
    examples.has_lists = examples.has_lists || table.is_list(row, label);
    for (const std::string& one : examples.labels.back())
      check<DataError>(!one.empty(), "{}: the label is empty", examples.places[row]);
  }
  return examples;
}

ClassificationExamples read_unlabelled_texts(const std::filesystem::path& file, const ClassificationColumns& columns) {
  ClassificationExamples examples = texts_of(data::Table::read(file, {columns.header, 0}), columns);
  examples.labels.resize(examples.size());
  examples.unlabelled = examples.size();
  return examples;
}

std::vector<text::TokenizedText> tokens_of(const ClassificationExamples& examples, const text::Tokenizer& tokenizer,
                                           size_t most, uint64_t& cut) {
  std::vector<text::TokenizedText> tokens(examples.size());
  std::atomic<uint64_t> shortened = 0;
  parallel_for(static_cast<int64_t>(examples.size()), 64, [&](int64_t begin, int64_t end, int) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      const bool pair = examples.pairs() && !examples.second[i].empty();
      tokens[i] =
          pair ? tokenizer.tokenize_pair(examples.first[i], examples.second[i]) : tokenizer.tokenize(examples.first[i]);
      shortened += shorten(tokens[i], most);
    }
  });
  for (size_t i = 0; i < examples.size(); ++i)
    check<DataError>(!tokens[i].ids.empty(), "{}: the text has no tokens", examples.places[i]);
  cut = shortened;
  return tokens;
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
    if (i >= examples.size() - examples.unlabelled) {
      if (problem == models::Problem::kSingleLabel) answers.classes.push_back(-100);
      else answers.values.resize(answers.values.size() + labels.size());
    } else if (problem == models::Problem::kMultiLabel) {
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
