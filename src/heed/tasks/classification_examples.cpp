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

// The numbers that a regression shall give for an example, `count` of them.
std::vector<float> numbers_of(const ClassificationExamples& examples, size_t example, size_t count) {
  const std::vector<std::string>& given = examples.labels[example];
  check<DataError>(given.size() == count, "{}: {} numbers where the model gives {}", examples.places[example],
                   given.size(), count);
  std::vector<float> numbers;
  for (const std::string& text : given) {
    const auto value = number_in(text);
    check<DataError>(value.has_value(), "{}: \"{}\" is no number", examples.places[example], text);
    numbers.push_back(static_cast<float>(*value));
  }
  return numbers;
}

// For each of `labels` its share in an example, 1 for those that it has without shares.
std::vector<float> shares_of(const ClassificationExamples& examples, size_t example,
                             const std::vector<std::string>& labels) {
  std::vector<float> row(labels.size());
  for (size_t k = 0; k < examples.labels[example].size(); ++k) {
    const std::string& label = examples.labels[example][k];
    const auto at = std::find(labels.begin(), labels.end(), label);
    check<DataError>(at != labels.end(), "{}: the label \"{}\" is none of the model's: {}", examples.places[example],
                     label, fmt::join(labels, ", "));
    row[static_cast<size_t>(at - labels.begin())] = examples.shares[example].empty() ? 1 : examples.shares[example][k];
  }
  return row;
}

// Adds labels that share the example at `place`: {"good": 3, "bad": 1}.
void add_shared(const std::vector<std::pair<std::string, double>>& numbers, const std::string& place,
                ClassificationExamples& examples) {
  double sum = 0;
  for (const auto& [label, number] : numbers) {
    check<DataError>(number >= 0 && std::isfinite(number), "{}: the share of \"{}\" is {}; it must be 0 or more", place,
                     label, number);
    sum += number;
  }
  check<DataError>(sum > 0 && std::isfinite(sum), "{}: no label has a share above 0", place);
  auto& labels = examples.labels.emplace_back();
  auto& shares = examples.shares.emplace_back();
  for (const auto& [label, number] : numbers) {
    labels.push_back(label);
    shares.push_back(static_cast<float>(number / sum));
  }
  examples.has_shares = true;
}

}  // namespace

ClassificationExamples read_classification_examples(const std::filesystem::path& file,
                                                    const ClassificationColumns& columns, uint64_t most) {
  const data::Table table = data::Table::read(file, {columns.header, most});
  ClassificationExamples examples = texts_of(table, columns);
  const size_t label =
      column_of(table, columns.label, {"label"sv, "labels"sv, "class"sv, "score"sv, "target"sv, "2"sv});
  for (size_t row = 0; row < table.rows(); ++row) {
    if (const auto numbers = table.numbers(row, label); !numbers.empty()) {
      add_shared(numbers, examples.places[row], examples);
    } else {
      examples.labels.push_back(table.list(row, label));
      examples.shares.emplace_back();
    }
    examples.has_lists = examples.has_lists || table.is_list(row, label);
    for (const std::string& one : examples.labels.back())
      check<DataError>(!one.empty(), "{}: the label is empty", examples.places[row]);
  }
  return examples;
}

ClassificationExamples read_unlabelled_texts(const std::filesystem::path& file, const ClassificationColumns& columns) {
  ClassificationExamples examples = texts_of(data::Table::read(file, {columns.header, 0}), columns);
  examples.labels.resize(examples.size());
  examples.shares.resize(examples.size());
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
  if (examples.has_shares) return models::Problem::kSingleLabel;
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
  const bool one_label = problem == models::Problem::kSingleLabel;
  ClassificationAnswers answers;
  for (size_t i = 0; i < examples.size(); ++i) {
    const bool labelled = i < examples.size() - examples.unlabelled;
    check<DataError>(one_label || examples.shares[i].empty(), "{}: shares of labels are for a choice of one label",
                     examples.places[i]);
    std::vector<float> row(labels.size());
    if (labelled && problem == models::Problem::kRegression) row = numbers_of(examples, i, labels.size());
    else if (labelled) row = shares_of(examples, i, labels);
    if (one_label) {
      check<DataError>(!labelled || !examples.shares[i].empty() || examples.labels[i].size() == 1,
                       "{}: {} labels, where one is expected", examples.places[i], examples.labels[i].size());
      const auto largest = std::max_element(row.begin(), row.end()) - row.begin();
      answers.classes.push_back(labelled ? static_cast<int32_t>(largest) : -100);
    }
    if (!one_label || examples.has_shares) answers.values.insert(answers.values.end(), row.begin(), row.end());
  }
  return answers;
}

}  // namespace heed::tasks
