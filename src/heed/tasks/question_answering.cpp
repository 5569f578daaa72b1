#include "heed/tasks/question_answering.h"

#include <algorithm>
#include <cmath>

#include "heed/metrics/python_text.h"

namespace heed::tasks {
namespace {

struct Piece {
  size_t question;
  TextWindow window;
};

// What has been found of one question.
struct Found {
  std::vector<Answer> answers;
  double null_score = 1e6;
};

// The context's tokens and the first token, which stands for "no answer", share one softmax; all else is impossible.
std::vector<double> probabilities(const text::TokenizedText& tokens, const float* logits) {
  const auto possible = [&](size_t t) { return t == 0 || tokens.texts[t] == 1; };
  double most = -1e30, sum = 0;
  for (size_t t = 0; t < tokens.ids.size(); ++t)
    if (possible(t)) most = std::max(most, static_cast<double>(logits[2 * t]));
  std::vector<double> p(tokens.ids.size());
  for (size_t t = 0; t < p.size(); ++t) {
    if (possible(t)) p[t] = std::exp(logits[2 * t] - most);
    sum += p[t];
  }
  for (double& x : p) x /= sum;
  return p;
}

// A span of tokens as characters, widened to whole words if asked for.
text::CharacterSpan characters_of(const text::TokenizedText& t, size_t begin, size_t end, bool whole_words) {
  if (whole_words) {
    const auto same = [&](size_t a, size_t b) {
      return t.texts[a] == 1 && t.words[a] >= 0 && t.words[a] == t.words[b];
    };
    while (begin > 0 && same(begin - 1, begin)) --begin;
    while (end + 1 < t.ids.size() && same(end + 1, end)) ++end;
  }
  return {t.characters[begin].begin, t.characters[end].end};
}

// An answer that stands at several places, or is found through several windows, has all their scores together.
void add(Found& found, Answer answer) {
  const auto same = std::ranges::find_if(
      found.answers, [&](const Answer& a) { return metrics::to_lower(a.text) == metrics::to_lower(answer.text); });
  if (same == found.answers.end()) found.answers.push_back(std::move(answer));
  else same->score += answer.score;
}

// Adds the best spans of one window.
void collect(const text::TokenizedText& tokens, const float* logits, const TextParts& context,
             const AnswerOptions& options, Found& found) {
  std::vector<double> begins = probabilities(tokens, logits), ends = probabilities(tokens, logits + 1);
  found.null_score = std::min(found.null_score, begins[0] * ends[0]);
  struct Span {
    double score;
    size_t begin, end;
  };
  std::vector<Span> spans;
  for (size_t b = 0; b < begins.size(); ++b) {
    if (tokens.texts[b] != 1) continue;
    const size_t last = std::min(begins.size(), b + options.longest_answer);
    for (size_t e = b; e < last && tokens.texts[e] == 1; ++e) spans.push_back({begins[b] * ends[e], b, e});
  }
  // More than are wanted, because spans become one when they are widened to words.
  const size_t kept = std::min(spans.size(), options.whole_words ? 2 * options.n_best + 10 : options.n_best);
  std::partial_sort(spans.begin(), spans.begin() + static_cast<int64_t>(kept), spans.end(),
                    [](const Span& a, const Span& b) { return a.score > b.score; });
  for (size_t i = 0; i < kept; ++i) {
    const auto at = characters_of(tokens, spans[i].begin, spans[i].end, options.whole_words);
    add(found, {std::string(context(at)), static_cast<float>(spans[i].score), at});
  }
}

std::vector<Answer> best_answers(Found& found, const AnswerOptions& options) {
  std::vector<Answer>& answers = found.answers;
  std::stable_sort(answers.begin(), answers.end(), [](const Answer& a, const Answer& b) { return a.score > b.score; });
  if (options.may_be_null) {
    const double best = answers.empty() ? 0 : answers.front().score, null = found.null_score;
    const bool first = null > best + options.null_threshold;
    const auto at = first ? answers.begin()
                          : std::find_if(answers.begin() + !answers.empty(), answers.end(),
                                         [&](const Answer& a) { return a.score < null; });
    answers.insert(at, {"", static_cast<float>(null), {}});
  }
  if (answers.size() > options.n_best) answers.resize(options.n_best);
  return answers;
}

}  // namespace

QuestionAnswerer QuestionAnswerer::load(const std::filesystem::path& folder, const models::LoadOptions& options) {
  return {EncoderTexts::load(folder, models::Head::kQuestionAnswering, options)};
}

std::vector<TextWindow> QuestionAnswerer::windows(const text::TokenizedText& tokens,
                                                  const AnswerOptions& options) const {
  const size_t most = std::min(options.most_tokens, static_cast<size_t>(model->max_length()));
  const auto kept = static_cast<size_t>(std::ranges::count_if(tokens.texts, [](int8_t t) { return t != 1; }));
  check<DataError>(most > kept || tokens.ids.size() <= most,
                   "a question of {} tokens leaves no room for its context; a window has {}", kept, most);
  return text_windows(tokens, 1, most, std::min(options.overlap, most > kept ? (most - kept) / 2 : 0));
}

std::vector<std::vector<Answer>> QuestionAnswerer::answer(const std::vector<Question>& questions,
                                                          const AnswerOptions& options) const {
  std::vector<Piece> pieces;
  for (size_t i = 0; i < questions.size(); ++i) {
    try {
      for (TextWindow& window : windows(tokenizer->tokenize_pair(questions[i].question, questions[i].context), options))
        pieces.push_back({i, std::move(window)});
    } catch (const DataError& error) {
      fail<DataError>("{}: {}", questions[i].place.empty() ? questions[i].question : questions[i].place, error.what());
    }
  }
  std::vector<const text::TokenizedText*> pointers;
  pointers.reserve(pieces.size());
  for (const Piece& piece : pieces) pointers.push_back(&piece.window.tokens);
  std::vector<Tensor> logits(pieces.size());
  for_each_batch(pointers, options.batch_size,
                 [&](const models::TextBatch& batch, const std::vector<uint32_t>& members) {
                   const Tensor z = model->logits(batch, {});  // [tokens, 2]
                   for (size_t row = 0; row < members.size(); ++row)
                     logits[members[row]] =
                         z.slice_rows(batch.ids.offsets[row], batch.ids.length(static_cast<int>(row))).clone().to({});
                 });
  std::vector<TextParts> contexts;
  contexts.reserve(questions.size());
  for (const Question& question : questions) contexts.emplace_back(question.context);
  std::vector<Found> found(questions.size());
  for (size_t i = 0; i < pieces.size(); ++i)
    collect(pieces[i].window.tokens, logits[i].data<float>(), contexts[pieces[i].question], options,
            found[pieces[i].question]);
  std::vector<std::vector<Answer>> answers;
  for (size_t i = 0; i < questions.size(); ++i) answers.push_back(best_answers(found[i], options));
  return answers;
}

}  // namespace heed::tasks
