// Training of a model that finds answers in texts, and its evaluation on SQuAD's files.
//
// A context that is too long is read through overlapping windows, each an example of its own: it is to find the answer
// if it holds all of it, else the first token, which stands for "no answer here" (Devlin et al. 2019, section 4.3).
#pragma once

#include "heed/data/squad.h"
#include "heed/metrics/squad.h"
#include "heed/tasks/encoder_training.h"
#include "heed/tasks/question_answering.h"

namespace heed::tasks {

struct QuestionAnsweringTrainingOptions : EncoderTrainingOptions {
  std::filesystem::path train, valid;
  double valid_fraction = 0;  // of the training questions, the last ones, if there is no `valid`
  uint64_t max_examples = 0;  // of training, questions; 0: all
  AnswerOptions answers;      // of validation; windows and their overlap of training too
};

class QuestionAnsweringTraining final : public EncoderTraining {
 public:
  explicit QuestionAnsweringTraining(QuestionAnsweringTrainingOptions options);

  bool has_validation() const override { return !valid_.questions.empty(); }
  std::optional<ValidationResult> validate(const StopFlag& stop) override;
  Json identity() const override;

 private:
  struct Window {
    std::vector<int32_t> ids, types;
    int32_t begin = 0, end = 0;  // tokens of the answer
    uint32_t question = 0;
  };

  void make_windows();
  std::vector<Window> windows_of(const QuestionAnswerer& answerer, size_t question) const;
  std::unique_ptr<EncoderBatch> make_batch(uint64_t epoch, std::span<const uint32_t> windows) const override;

  const QuestionAnsweringTrainingOptions options_;
  data::SquadData train_, valid_;
  std::vector<Window> windows_;
};

// The first `most` questions of a file; 0: all.
data::SquadData read_questions(const std::filesystem::path& file, uint64_t most);
// Whether there is a question without an answer.
bool has_unanswerable(const data::SquadData& data);
// The best answer to each question; "" where there is none. Nothing if `stop` said so.
std::optional<std::vector<std::string>> answer_all(const QuestionAnswerer& answerer, const data::SquadData& data,
                                                   const AnswerOptions& options, const StopFlag& stop = {});
// As the official scripts score them.
metrics::AnswerReport score_answers(const data::SquadData& data, const std::vector<std::string>& answers);

}  // namespace heed::tasks
