#include "heed/tasks/teachers.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>

#include "heed/base/error.h"
#include "heed/base/log.h"
#include "heed/tasks/classification.h"

namespace heed::tasks {
namespace {

constexpr size_t kBatch = 64, kChunk = 4096;

// For each of `labels` its place in the teacher's; a regression's numbers stand in order.
std::vector<size_t> places_of(const std::vector<std::string>& labels, const models::EncoderModel& teacher,
                              const std::filesystem::path& folder) {
  const std::vector<std::string>& teachers =
      teacher.problem() == models::Problem::kRegression && teacher.labels().size() == labels.size() ? labels
                                                                                                    : teacher.labels();
  std::vector<size_t> places;
  for (const std::string& label : labels) {
    const auto at = std::find(teachers.begin(), teachers.end(), label);
    check<ConfigError>(at != teachers.end() && labels.size() == teachers.size(),
                       "{}: the teacher's labels are {}; the pupil's are {}", folder.string(),
                       fmt::join(teachers, ", "), fmt::join(labels, ", "));
    places.push_back(static_cast<size_t>(at - teachers.begin()));
  }
  return places;
}

std::vector<float> softmax_at(float temperature, std::vector<float> logits) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  float sum = 0;
  for (float& z : logits) sum += z = std::exp((z - largest) / temperature);
  for (float& z : logits) z /= sum;
  return logits;
}

// Tells the log every ten seconds how far one teacher is.
class Report {
 public:
  Report(std::string teacher, size_t texts) : teacher_(std::move(teacher)), texts_(texts) {}

  void at(size_t done) {
    const auto now = Clock::now();
    if (now < next_ && done < texts_) return;
    next_ = now + std::chrono::seconds(10);
    const double rate = static_cast<double>(done) / std::chrono::duration<double>(now - begin_).count();
    log().info("{}: {} of {} texts, {:.0f}/s{}", teacher_, done, texts_, rate,
               done < texts_ ? fmt::format(", {:.0f} s to go", static_cast<double>(texts_ - done) / rate) : "");
  }

 private:
  using Clock = std::chrono::steady_clock;
  const std::string teacher_;
  const size_t texts_;
  const Clock::time_point begin_ = Clock::now();
  Clock::time_point next_ = begin_ + std::chrono::seconds(10);
};

// Adds what one teacher says, divided by how many there are, to `outputs`.
void add_teacher(const std::filesystem::path& folder, const TeacherOptions& options,
                 const ClassificationExamples& examples, models::Problem problem,
                 const std::vector<std::string>& labels, std::vector<float>& outputs) {
  const auto teacher = TextClassifier::load(folder, models::for_inference({}, options.device));
  check<ConfigError>(teacher.model->problem() == problem, "{}: the teacher's problem_type is another than the pupil's",
                     folder.string());
  const std::vector<size_t> places = places_of(labels, *teacher.model, folder);
  uint64_t cut = 0;
  std::vector<text::TokenizedText> tokens =
      tokens_of(examples, *teacher.tokenizer, static_cast<size_t>(teacher.model->max_length()), cut);
  if (cut > 0)
    log().warn("{} texts were cut to the {} tokens that {} takes", cut, teacher.model->max_length(), folder.string());
  const bool one_label = problem == models::Problem::kSingleLabel;
  const auto share = 1 / static_cast<float>(options.folders.size());
  Report report("teacher " + folder.string(), tokens.size());
  for (size_t begin = 0; begin < tokens.size(); begin += kChunk) {
    const auto first = tokens.begin() + static_cast<ptrdiff_t>(begin);
    const std::vector<text::TokenizedText> chunk(
        std::make_move_iterator(first),
        std::make_move_iterator(first + static_cast<ptrdiff_t>(std::min(kChunk, tokens.size() - begin))));
    const auto said = teacher.scores(chunk, one_label ? Scores::kNone : scores_of(problem), kBatch);
    for (size_t i = 0; i < said.size(); ++i) {
      const std::vector<float> row = one_label ? softmax_at(options.softening(), said[i]) : said[i];
      for (size_t c = 0; c < places.size(); ++c) outputs[(begin + i) * places.size() + c] += share * row[places[c]];
    }
    report.at(begin + chunk.size());
  }
}

}  // namespace

void check_teachers(const TeacherOptions& options, models::Problem problem) {
  if (options.folders.empty()) {
    check<UsageError>(options.unlabelled.empty(), "--unlabelled needs a --teacher, who labels those texts");
    check<UsageError>(!options.weight, "--teacher-weight needs a --teacher");
    check<UsageError>(!options.temperature, "--temperature needs a --teacher");
  }
  check<UsageError>(!options.temperature || problem == models::Problem::kSingleLabel,
                    "--temperature is for examples of one label");
}

void append_unlabelled(const TeacherOptions& options, const ClassificationColumns& columns,
                       ClassificationExamples& examples) {
  for (const std::filesystem::path& file : options.unlabelled) {
    const ClassificationExamples texts = read_unlabelled_texts(file, columns);
    check<DataError>(texts.pairs() == examples.pairs(), "{}: {} texts, where the labelled ones are {}", file.string(),
                     texts.pairs() ? "pairs of" : "single", examples.pairs() ? "pairs" : "single");
    const auto append = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
    append(examples.first, texts.first);
    append(examples.second, texts.second);
    append(examples.labels, texts.labels);
    append(examples.shares, texts.shares);
    append(examples.places, texts.places);
    examples.unlabelled += texts.size();
  }
}

std::vector<float> teacher_outputs(const TeacherOptions& options, const ClassificationExamples& examples,
                                   models::Problem problem, const std::vector<std::string>& labels) {
  std::vector<float> outputs(examples.size() * labels.size());
  for (const std::filesystem::path& folder : options.folders)
    add_teacher(folder, options, examples, problem, labels, outputs);
  return outputs;
}

}  // namespace heed::tasks
