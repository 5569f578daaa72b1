// heed evaluate classification: how good a classifier is on labelled texts.
#include <algorithm>

#include "heed/base/files.h"
#include "heed/base/log.h"
#include "heed/cli/classification_options.h"
#include "heed/cli/classification_output.h"
#include "heed/cli/commands.h"
#include "heed/cli/files.h"
#include "heed/tasks/classification.h"

namespace heed::cli {
namespace {

// What the model says of each text, a line each: label, several labels with commas, or numbers.
std::string predictions_text(const tasks::TextClassifier& classifier, const std::vector<std::vector<float>>& outputs) {
  const std::vector<std::string>& labels = classifier.model->labels();
  std::string text;
  for (const auto& o : outputs) {
    std::string line;
    const auto add = [&](const std::string& part) { line += (line.empty() ? "" : ",") + part; };
    switch (classifier.model->problem()) {
      case models::Problem::kSingleLabel:
        add(labels[static_cast<size_t>(std::max_element(o.begin(), o.end()) - o.begin())]);
        break;
      case models::Problem::kMultiLabel:
        for (size_t i = 0; i < o.size(); ++i)
          if (o[i] >= 0.5f) add(labels[i]);
        break;
      case models::Problem::kRegression:
        for (const float value : o) add(fmt::format("{}", value));
    }
    text += one_line(line) + '\n';
  }
  return text;
}

}  // namespace

int run_evaluate_classification(Command& command) {
  std::filesystem::path folder, data, predictions;
  tasks::ClassificationColumns columns;
  size_t batch_size = 64;
  command.about("Classifies labelled texts and scores the result as scikit-learn does.");
  command.example("heed evaluate classification --model model/ --data test.tsv --json", "");
  Options& o = command.options();
  o.add("model", folder, "Folder of the model").required();
  o.add("data", data, "Labelled texts: .tsv, .csv or .jsonl").required();
  add_columns(o, columns);
  o.add("predictions", predictions, "Write what the model says of each text to this file, a line each");
  o.add("batch-size", batch_size, "Texts computed together").range(1, 4096);
  command.use_model();
  command.use_json();
  command.parse();
  if (!predictions.empty()) check_output(predictions);

  const auto classifier = tasks::TextClassifier::load(folder, command.load_options());
  const auto examples = tasks::read_classification_examples(data, columns, 0);
  const models::Problem problem = classifier.model->problem();
  const auto answers = tasks::answers_of(examples, problem, classifier.model->labels());
  std::vector<text::TokenizedText> tokens;
  uint64_t cut = 0;
  for (size_t i = 0; i < examples.size(); ++i) {
    tokens.push_back(examples.pairs() ? classifier.tokenizer->tokenize_pair(examples.first[i], examples.second[i])
                                      : classifier.tokenizer->tokenize(examples.first[i]));
    cut += tasks::shorten(tokens.back(), static_cast<size_t>(classifier.model->max_length()));
    check<DataError>(!tokens.back().ids.empty(), "{}: the text has no tokens", examples.places[i]);
  }
  if (cut > 0) log().warn("{} texts were cut to {} tokens", cut, classifier.model->max_length());
  const auto outputs = classifier.scores(tokens, tasks::scores_of(problem), batch_size);
  if (!predictions.empty()) write_output(predictions, predictions_text(classifier, outputs));

  write_scores(command, tasks::classification_scores(problem, answers, outputs), examples.size(), "examples");
  return kOk;
}

}  // namespace heed::cli
