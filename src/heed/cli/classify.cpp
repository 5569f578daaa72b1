// heed classify: lines in, labels out, in order.
#include <algorithm>
#include <numeric>

#include "heed/base/log.h"
#include "heed/cli/commands.h"
#include "heed/cli/files.h"
#include "heed/cli/text_rows.h"
#include "heed/tasks/classification.h"

namespace heed::cli {
namespace {

struct Chosen {
  size_t label;
  float score;
};

// The labels to write, best first: the `top_k` best, or, of several that may hold, those that reach the threshold.
std::vector<Chosen> choose(const std::vector<float>& scores, size_t top_k, std::optional<float> threshold) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  std::vector<Chosen> chosen;
  for (const size_t label : order)
    if (chosen.size() < top_k && (!threshold || scores[label] >= *threshold)) chosen.push_back({label, scores[label]});
  return chosen;
}

// How each line is written.
class Writer {
 public:
  Writer(Command& command, const std::vector<std::string>& labels, bool regression)
      : command_(command), labels_(labels), regression_(regression) {}

  void write(const std::vector<Chosen>& chosen, const std::vector<float>& scores) {
    if (command_.common().json) {
      Json line{{"labels", Json::array()}};
      for (const Chosen& c : chosen) line["labels"].push_back({{"label", labels_[c.label]}, {"score", c.score}});
      if (regression_) line = {{"values", scores}};
      return command_.output().line(json_line(line));
    }
    std::string line;
    if (regression_)
      for (const float value : scores) line += fmt::format("{}{:.6g}", line.empty() ? "" : "\t", value);
    else
      for (const Chosen& c : chosen)
        line += fmt::format("{}{}\t{:.4f}", line.empty() ? "" : "\t", one_line(labels_[c.label]), c.score);
    command_.output().line(line);
  }

 private:
  Command& command_;
  const std::vector<std::string>& labels_;
  bool regression_;
};

}  // namespace

int run_classify(Command& command) {
  std::filesystem::path folder;
  bool pairs = false;
  std::optional<size_t> top_k;
  std::optional<float> threshold;
  enum class Kind : uint8_t { kAuto, kSoftmax, kSigmoid, kNone } kind = Kind::kAuto;
  command.about(
      "Classifies each line of standard input (or of a file): label and score with a tab between them. Line n of the "
      "output is line n of the input. A model of several labels gives all that reach the threshold, a regression its "
      "numbers.");
  command.example("heed classify --model model/ < reviews.txt", "a label for each line");
  command.example("heed classify --model model/ --pairs --top-k 3 --json < pairs.tsv",
                  "pairs of texts, the best three");
  Options& options = command.options();
  options.add("model", folder, "Folder of the model").required();
  options.add("pairs", pairs, "A line is two texts with a tab between them");
  options.add("top-k", top_k, "Labels for each line, best first").at_least(1).default_text("1; of several labels all");
  options.add("threshold", threshold, "Least score of a label").default_text("0.5 for several labels, else none");
  options.add_choice<Kind>(
      "scores", kind,
      {{"auto", Kind::kAuto}, {"softmax", Kind::kSoftmax}, {"sigmoid", Kind::kSigmoid}, {"none", Kind::kNone}},
      "What is made of the model's logits; auto: what the model was made for");
  TextRows rows(command);
  command.parse();

  const auto classifier = tasks::TextClassifier::load(folder, command.load_options());
  const tasks::Scores scores = kind == Kind::kAuto      ? classifier.default_scores()
                               : kind == Kind::kSoftmax ? tasks::Scores::kSoftmax
                               : kind == Kind::kSigmoid ? tasks::Scores::kSigmoid
                                                        : tasks::Scores::kNone;
  const bool several = classifier.model->problem() == models::Problem::kMultiLabel;
  const std::vector<std::string>& labels = classifier.model->labels();
  const size_t most = top_k.value_or(several ? labels.size() : 1);
  if (several && !threshold) threshold = 0.5f;
  Writer writer(command, labels, scores == tasks::Scores::kNone);
  uint64_t cut = 0;
  rows.run(
      [&](const std::string& line) {
        const auto [first, second] = pairs ? two_columns(line) : std::pair(line, std::string());
        auto tokens =
            second.empty() ? classifier.tokenizer->tokenize(first) : classifier.tokenizer->tokenize_pair(first, second);
        cut += tasks::shorten(tokens, static_cast<size_t>(classifier.model->max_length()));
        check<DataError>(!tokens.ids.empty(), "the text has no tokens");
        return tokens;
      },
      [&](const auto& items) { return classifier.scores(items, scores, rows.batch_size()); },
      [&](const auto&, const std::vector<float>& result) { writer.write(choose(result, most, threshold), result); });
  if (cut > 0)
    log().warn("{} texts were cut to the {} tokens that the model takes", cut, classifier.model->max_length());
  return kOk;
}

}  // namespace heed::cli
