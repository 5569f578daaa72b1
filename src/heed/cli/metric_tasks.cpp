// heed metric rouge, entities, classes: scores of summaries, of tagged text and of labels on standard input.
#include <algorithm>
#include <map>

#include "heed/base/json.h"
#include "heed/cli/commands.h"
#include "heed/cli/entity_scores.h"
#include "heed/cli/files.h"
#include "heed/metrics/classification.h"
#include "heed/metrics/entities.h"
#include "heed/metrics/python_text.h"
#include "heed/metrics/rouge.h"

namespace heed::cli {
namespace {

std::string rouge_line(const char* name, const metrics::RougeScore& s) {
  return fmt::format("{:<10} F {:.2f}  precision {:.2f}  recall {:.2f}", name, 100 * s.f, 100 * s.precision,
                     100 * s.recall);
}

// The last two columns of CoNLL lines: what is expected and what was found; an empty line ends a sentence.
std::pair<metrics::TagSequences, metrics::TagSequences> read_tags(const std::filesystem::path& file,
                                                                  const std::string& delimiter) {
  metrics::TagSequences expected(1), found(1);
  size_t number = 0, width = 0;
  for (const std::string& line : read_lines(file)) {
    ++number;
    std::vector<std::string_view> columns;
    if (delimiter.empty()) {
      columns = metrics::split_words(line);
    } else {
      for (size_t begin = 0; !line.empty() && begin <= line.size();) {
        const size_t end = std::min(line.find(delimiter, begin), line.size());
        columns.push_back(std::string_view(line).substr(begin, end - begin));
        begin = end + delimiter.size();
      }
    }
    if (columns.empty()) {
      if (expected.back().empty()) continue;
      expected.emplace_back();
      found.emplace_back();
      continue;
    }
    check<DataError>(columns.size() >= 2, "{}:{}: expected at least two columns, the last two being tags",
                     file.string(), number);
    if (width == 0) width = columns.size();
    check<DataError>(columns.size() == width, "{}:{}: {} columns, where the lines before have {}", file.string(),
                     number, columns.size(), width);
    expected.back().emplace_back(columns[columns.size() - 2]);
    found.back().emplace_back(columns.back());
  }
  check<DataError>(width > 0, "{}: there is no token to score", file.string());
  return {std::move(expected), std::move(found)};
}

}  // namespace

int run_metric_rouge(Command& command) {
  std::vector<std::filesystem::path> reference_files;
  std::filesystem::path input = "-";
  bool stem = true, lines_are_sentences = true;
  command.about(
      "Scores summaries, a line each, against references by ROUGE-1, -2, -L and -Lsum, as Google's "
      "rouge-score does. Give --reference again for further references of the same lines.");
  command.example("heed metric rouge --reference test.summary < test.hyp", "the mean over all lines");
  command.options().add("reference", reference_files, "Reference summaries, a line for each").required();
  command.options().add("input", input, "Summaries to score, plain, gzip or zstd; - is standard input");
  command.options().add("stem", stem, "Compare word stems (Porter's algorithm)");
  command.options().add("escaped-newlines", lines_are_sentences, "\\n in a line separates sentences for ROUGE-Lsum");
  command.use_json();
  command.parse();
  const auto unescape = [&](std::string text) {
    for (size_t at = 0; lines_are_sentences && (at = text.find("\\n", at)) != std::string::npos;)
      text.replace(at, 2, 1, '\n');
    return text;
  };
  std::vector<std::string> summaries;
  for (const std::string& line : read_lines(input)) summaries.push_back(unescape(line));
  check<DataError>(!summaries.empty(), "{}: there is no summary to score", input.string());
  std::vector<std::vector<std::string>> references(summaries.size());
  for (const auto& file : reference_files) {
    const auto lines = read_lines(file);
    check<DataError>(lines.size() == summaries.size(), "{}: {} lines, but {} summaries", file.string(), lines.size(),
                     summaries.size());
    for (size_t i = 0; i < lines.size(); ++i) references[i].push_back(unescape(lines[i]));
  }
  const metrics::RougeScores scores = metrics::corpus_rouge(summaries, references, {stem});
  const std::pair<const char*, const metrics::RougeScore*> named[] = {{"rouge1", &scores.rouge1},
                                                                      {"rouge2", &scores.rouge2},
                                                                      {"rougeL", &scores.rouge_l},
                                                                      {"rougeLsum", &scores.rouge_l_sum}};
  Json json = {{"lines", summaries.size()}, {"stem", stem}};
  for (const auto& [name, score] : named) {
    json[name] = {{"f", score->f}, {"precision", score->precision}, {"recall", score->recall}};
    if (!command.common().json) command.output().line(rouge_line(name, *score));
  }
  if (command.common().json) command.output().line(json.dump());
  return kOk;
}

int run_metric_entities(Command& command) {
  std::filesystem::path input = "-";
  std::string delimiter;
  command.about(
      "Scores tagged text by entities, as conlleval and seqeval do: the last two columns of each line are "
      "the expected and the found tag, an empty line ends a sentence.");
  command.example("heed metric entities < tagged.conll", "precision, recall and F1, for all and by type");
  command.options().add("input", input, "File to read, plain, gzip or zstd; - is standard input");
  command.options().add("delimiter", delimiter, "What separates columns").default_text("white space");
  command.use_json();
  command.parse();
  const auto [expected, found] = read_tags(input, delimiter);
  const metrics::EntityReport report = metrics::entity_report(expected, found);
  std::string text = report.conlleval();
  text.pop_back();  // its last line's end
  command.write_result(entity_scores(report), text);
  return kOk;
}

int run_metric_classes(Command& command) {
  std::filesystem::path input = "-", reference;
  command.about("Scores labels, one a line, against expected ones: accuracy, macro F1 and Matthews' correlation.");
  command.example("heed metric classes --reference test.labels < found.labels", "accuracy, F1, correlation");
  command.options().add("reference", reference, "Expected labels, a line for each").required();
  command.options().add("input", input, "Labels to score; - is standard input");
  command.use_json();
  command.parse();
  std::map<std::string, int32_t> numbers;
  const auto read = [&](const std::filesystem::path& file) {
    std::vector<int32_t> classes;
    for (const std::string& line : read_lines(file))
      classes.push_back(numbers.emplace(line, static_cast<int32_t>(numbers.size())).first->second);
    return classes;
  };
  const auto expected = read(reference), found = read(input);
  check<DataError>(expected.size() == found.size(), "{}: {} labels, where {} has {}", input.string(), found.size(),
                   reference.string(), expected.size());
  check<DataError>(!found.empty(), "{}: there is no label to score", input.string());
  const metrics::ClassificationReport report = metrics::classification_report(expected, found);
  if (command.common().json) {
    command.output().line(Json{
        {"accuracy", report.accuracy},
        {"macro_f1", report.macro_f1},
        {"matthews", report.matthews},
        {"examples",
         report.examples}}.dump());
  } else {
    command.output().line(fmt::format("accuracy {:.4f}  macro F1 {:.4f}  Matthews {:.4f}  ({} examples)",
                                      report.accuracy, report.macro_f1, report.matthews, report.examples));
  }
  return kOk;
}

}  // namespace heed::cli
