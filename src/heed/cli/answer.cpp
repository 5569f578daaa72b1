// heed answer: questions with their contexts in, answers out, in order.
#include "heed/cli/commands.h"
#include "heed/cli/files.h"
#include "heed/cli/text_rows.h"
#include "heed/tasks/question_answering.h"

namespace heed::cli {
namespace {

// A line is "question<TAB>context", or an object with these keys.
tasks::Question read_question(const std::string& line) {
  if (!line.starts_with('{')) {
    auto [question, context] = two_columns(line);
    return {std::move(question), std::move(context)};
  }
  Json json;
  try {
    json = parse_json(line, "the line");
  } catch (const FormatError& e) {
    fail<DataError>("{}", e.what());
  }
  for (const char* key : {"question", "context"})
    check<DataError>(json.contains(key) && json[key].is_string(), "expected an object with \"{}\", a text", key);
  return {json["question"].get<std::string>(), json["context"].get<std::string>()};
}

void write(Command& command, const std::vector<tasks::Answer>& answers) {
  if (command.common().json) {
    Json line{{"answers", Json::array()}};
    for (const tasks::Answer& a : answers)
      line["answers"].push_back(
          {{"text", a.text}, {"score", a.score}, {"begin", a.characters.begin}, {"end", a.characters.end}});
    return command.output().line(json_line(line));
  }
  std::string line;
  for (const tasks::Answer& a : answers)
    line += fmt::format("{}{}\t{:.4f}", line.empty() ? "" : "\t", one_line(a.text), a.score);
  command.output().line(line);
}

}  // namespace

int run_answer(Command& command) {
  std::filesystem::path folder;
  std::optional<std::string> question, context;
  tasks::AnswerOptions answers;
  command.about(
      "Finds the part of a text that answers a question: of --question and --context, or of each line of standard "
      "input "
      "(or of a file), which is a question and its context with a tab between them, or an object with the keys "
      "question "
      "and context. The answer and its score have a tab between them; an empty answer says that there is none. Places "
      "in the JSON are counted in characters (code points) of the context.");
  command.example("heed answer --model model/ --question 'Who runs?' --context 'A dog runs.'", "one question");
  command.example("heed answer --model model/ --null --n-best 3 --json < questions.tsv",
                  "several, which may have none");
  Options& options = command.options();
  options.add("model", folder, "Folder of the model").required();
  options.add("question", question, "The question");
  options.add("context", context, "The text that has the answer");
  options.add("n-best", answers.n_best, "Answers for each question, best first").range(1, 1000);
  options.add("max-answer-length", answers.longest_answer, "Tokens of the longest answer").range(1, 1 << 20);
  options
      .add("max-length", answers.most_tokens,
           "Tokens of question and context together; longer contexts are cut "
           "into windows")
      .range(8, 1 << 20);
  options.add("doc-stride", answers.overlap, "Tokens that neighbouring windows share; at most half of them");
  options.add("null", answers.may_be_null, "There may be no answer");
  options.add("null-threshold", answers.null_threshold, "By how much its score must be better than the best answer's");
  options.add("whole-words", answers.whole_words, "Answers begin and end with whole words");
  TextRows rows(command);
  command.parse();
  check<UsageError>(question.has_value() == context.has_value(), "--question and --context go together");
  check<UsageError>(!question || !options.given("input"), "--input is for who gives no --question");
  check<UsageError>(answers.may_be_null || !options.given("null-threshold"), "--null-threshold needs --null");

  const auto answerer = tasks::QuestionAnswerer::load(folder, command.load_options());
  answers.batch_size = rows.batch_size();
  if (question) {
    write(command, answerer.answer({{*question, *context}}, answers).at(0));
    return kOk;
  }
  rows.run([](const std::string& line) { return read_question(line); },
           [&](const std::vector<tasks::Question>& questions) { return answerer.answer(questions, answers); },
           [&](const tasks::Question&, const std::vector<tasks::Answer>& found) { write(command, found); });
  return kOk;
}

}  // namespace heed::cli
