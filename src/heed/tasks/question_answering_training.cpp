#include "heed/tasks/question_answering_training.h"

#include <algorithm>

#include "heed/base/threads.h"
#include "heed/base/utf8.h"
#include "heed/tasks/held_out.h"

namespace heed::tasks {
namespace {

// Questions answered together: enough to keep batches full, few enough to stop soon.
constexpr size_t kGroup = 256;

// The first and the last of the context's tokens that an answer touches; nothing if there are none.
std::optional<std::pair<size_t, size_t>> tokens_of(const text::TokenizedText& tokens, const data::SquadAnswer& answer) {
  const auto begin_at = static_cast<uint32_t>(answer.begin);
  const auto end_at = begin_at + static_cast<uint32_t>(to_code_points(answer.text).size());
  std::optional<std::pair<size_t, size_t>> found;
  for (size_t i = 0; i < tokens.ids.size(); ++i) {
    const text::CharacterSpan& at = tokens.characters[i];
    if (tokens.texts[i] != 1 || at.end <= begin_at || at.begin >= end_at) continue;
    if (!found) found = {i, i};
    found->second = i;
  }
  return found;
}

// Where a token of the whole stands in a window; -1: nowhere.
int32_t place_in(const TextWindow& window, size_t token) {
  const auto at = std::ranges::lower_bound(window.places, static_cast<uint32_t>(token));
  return at != window.places.end() && *at == token ? static_cast<int32_t>(at - window.places.begin()) : -1;
}

}  // namespace

QuestionAnsweringTraining::QuestionAnsweringTraining(QuestionAnsweringTrainingOptions options)
    : EncoderTraining(options), options_(std::move(options)) {
  train_ = read_questions(options_.train, options_.max_examples);
  const size_t count = train_.questions.size();
  const size_t kept = kept_for_training(count, "questions", options_.train, options_.valid, options_.valid_fraction);
  if (!options_.valid.empty()) {
    valid_ = read_questions(options_.valid, 0);
  } else if (kept < count) {
    valid_.file = train_.file;
    valid_.contexts = train_.contexts;
    valid_.questions.assign(train_.questions.begin() + static_cast<ptrdiff_t>(kept), train_.questions.end());
    train_.questions.resize(kept);
  }
  models::NewModel wanted;
  wanted.head = models::Head::kQuestionAnswering;
  start(wanted, [&](const auto& piece) {
    for (const std::string& context : train_.contexts) piece(context);
    for (const data::SquadQuestion& question : train_.questions) piece(question.question);
  });
  make_windows();
}

std::vector<QuestionAnsweringTraining::Window> QuestionAnsweringTraining::windows_of(const QuestionAnswerer& answerer,
                                                                                     size_t q) const {
  const data::SquadQuestion& question = train_.questions[q];
  const auto tokens = tokenizer().tokenize_pair(question.question, train_.contexts[question.context]);
  std::optional<std::pair<size_t, size_t>> answer;
  if (!question.answers.empty()) {
    answer = tokens_of(tokens, question.answers.front());
    check<DataError>(answer.has_value(), "the answer \"{}\" has no tokens", question.answers.front().text);
  }
  std::vector<Window> windows;
  for (TextWindow& window : answerer.windows(tokens, options_.answers)) {
    const int32_t first = answer ? place_in(window, answer->first) : -1;
    const int32_t last = answer ? place_in(window, answer->second) : -1;
    const bool whole = first >= 0 && last >= 0;
    windows.push_back({std::move(window.tokens.ids), std::move(window.tokens.types), whole ? first : 0,
                       whole ? last : 0, static_cast<uint32_t>(q)});
  }
  return windows;
}

void QuestionAnsweringTraining::make_windows() {
  const QuestionAnswerer answerer{trained()};
  std::vector<std::vector<Window>> found(train_.questions.size());
  parallel_for(std::ssize(found), 16, [&](int64_t begin, int64_t end, int) {
    for (auto q = static_cast<size_t>(begin); q < static_cast<size_t>(end); ++q) {
      try {
        found[q] = windows_of(answerer, q);
      } catch (const DataError& error) {
        fail<DataError>("{}: {}", train_.where(q), error.what());
      }
    }
  });
  std::vector<uint32_t> lengths;
  uint64_t tokens = 0, answered = 0;
  for (std::vector<Window>& of_question : found)
    for (Window& window : of_question) {
      lengths.push_back(static_cast<uint32_t>(window.ids.size()));
      tokens += lengths.back();
      answered += window.end > 0;
      windows_.push_back(std::move(window));
    }
  set_examples(lengths,
               fmt::format("{} questions as {} windows, {} of them with the answer; {} tokens; {} questions "
                           "held out",
                           train_.questions.size(), windows_.size(), answered, tokens, valid_.questions.size()));
}

std::unique_ptr<EncoderBatch> QuestionAnsweringTraining::make_batch(uint64_t, std::span<const uint32_t> windows) const {
  auto batch = std::make_unique<EncoderBatch>();
  for (const uint32_t i : windows) {
    batch->texts.ids.append(windows_[i].ids);
    batch->texts.types.insert(batch->texts.types.end(), windows_[i].types.begin(), windows_[i].types.end());
    batch->wanted.begins.push_back(windows_[i].begin);
    batch->wanted.ends.push_back(windows_[i].end);
  }
  batch->texts.examples.assign(windows.begin(), windows.end());
  batch->count = std::ssize(windows);
  batch->place = describe_examples(windows, [this](uint32_t i) { return train_.where(windows_[i].question); });
  return batch;
}

std::optional<ValidationResult> QuestionAnsweringTraining::validate(const StopFlag& stop) {
  AnswerOptions options = options_.answers;
  options.may_be_null = has_unanswerable(valid_);
  const auto answers = answer_all(QuestionAnswerer{trained()}, valid_, options, stop);
  if (!answers) return std::nullopt;
  const metrics::AnswerReport report = score_answers(valid_, *answers);
  ValidationResult result{{{"exact", report.exact}, {"f1", report.f1}}, report.f1};
  if (options.may_be_null) {
    result.metrics.emplace_back("answerable_f1", report.answerable_f1);
    result.metrics.emplace_back("unanswerable_exact", report.unanswerable_exact);
  }
  return result;
}

Json QuestionAnsweringTraining::identity() const {
  Json json = EncoderTraining::identity();
  json["train"] = fmt::format("{} questions", train_.questions.size());
  json["max-length"] = options_.answers.most_tokens;
  json["doc-stride"] = options_.answers.overlap;
  return json;
}

data::SquadData read_questions(const std::filesystem::path& file, uint64_t most) {
  data::SquadData data = data::read_squad(file);
  if (most > 0 && data.questions.size() > most) data.questions.resize(most);
  return data;
}

bool has_unanswerable(const data::SquadData& data) {
  return std::ranges::any_of(data.questions, [](const data::SquadQuestion& q) { return q.answers.empty(); });
}

std::optional<std::vector<std::string>> answer_all(const QuestionAnswerer& answerer, const data::SquadData& data,
                                                   const AnswerOptions& options, const StopFlag& stop) {
  std::vector<std::string> answers;
  for (size_t begin = 0; begin < data.questions.size(); begin += kGroup) {
    if (stop && stop()) return std::nullopt;
    std::vector<Question> group;
    for (size_t i = begin; i < std::min(begin + kGroup, data.questions.size()); ++i)
      group.push_back({data.questions[i].question, data.contexts[data.questions[i].context], data.where(i)});
    for (const std::vector<Answer>& found : answerer.answer(group, options))
      answers.push_back(found.empty() ? "" : found.front().text);
  }
  return answers;
}

metrics::AnswerReport score_answers(const data::SquadData& data, const std::vector<std::string>& answers) {
  std::vector<std::vector<std::string>> references(data.questions.size());
  for (size_t i = 0; i < references.size(); ++i)
    for (const data::SquadAnswer& answer : data.questions[i].answers) references[i].push_back(answer.text);
  return metrics::answer_report(answers, references);
}

}  // namespace heed::tasks
