// Extractive question answering: the part of a context that answers a question, with a trained model.
//
// A context that is too long is read through overlapping windows. A span's score is the product of the probabilities
// that it begins and ends where it does, each within its window, as transformers' pipeline computes it (Devlin et al.
// 2019, section 4.2).
#pragma once

#include "heed/tasks/encoder_texts.h"

namespace heed::tasks {

struct AnswerOptions {
  size_t batch_size = 32;    // windows
  size_t most_tokens = 384;  // of question and context in a window; at most what the model takes
  size_t overlap = 128;      // tokens that neighbouring windows share
  size_t n_best = 1;
  size_t longest_answer = 15;  // tokens
  bool may_be_null = false;    // whether "there is no answer" is an answer
  double null_threshold = 0;   // it must be better by this than the best answer
  bool whole_words = true;     // spans are widened to the words that they touch
};

struct Question {
  std::string question, context;
  std::string place{};  // what errors call it; empty: the question
};

struct Answer {
  std::string text;  // empty: there is no answer
  float score = 0;
  text::CharacterSpan characters;  // in the context
};

struct QuestionAnswerer : EncoderTexts {
  static QuestionAnswerer load(const std::filesystem::path& folder,
                               const models::LoadOptions& options = models::for_inference());

  // Question and context, as tokenize_pair() gave them, as windows that fit the model. DataError if the question leaves
  // no room.
  std::vector<TextWindow> windows(const text::TokenizedText& tokens, const AnswerOptions& options) const;

  // The best answers of each question, best first; none if its context is empty and null is no answer.
  std::vector<std::vector<Answer>> answer(const std::vector<Question>& questions, const AnswerOptions& options) const;
};

}  // namespace heed::tasks
