// Options of windows and answers, shared by training and evaluation on SQuAD's files.
#pragma once

#include "heed/cli/command.h"
#include "heed/tasks/question_answering.h"

namespace heed::cli {

inline void add_answer_options(Options& o, tasks::AnswerOptions& answers) {
  o.add("max-length", answers.most_tokens, "Tokens of question and context; longer contexts are cut into windows")
      .range(16, 1 << 20);
  o.add("doc-stride", answers.overlap, "Tokens that neighbouring windows share; at most half of them");
  o.add("max-answer-length", answers.longest_answer, "Tokens of the longest answer").range(1, 1 << 20);
  o.add("null-threshold", answers.null_threshold,
        "Where there may be no answer: by how much its score must be better than the best answer's");
}

// As the scripts that go with SQuAD have it.
inline tasks::AnswerOptions squad_answers() {
  tasks::AnswerOptions answers;
  answers.longest_answer = 30;
  return answers;
}

}  // namespace heed::cli
