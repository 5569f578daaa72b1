// heed evaluate question-answering: how good the answers are that a model finds.
#include "heed/base/files.h"
#include "heed/cli/commands.h"
#include "heed/cli/question_answering_options.h"
#include "heed/tasks/question_answering_training.h"

namespace heed::cli {
namespace {

Json report_json(const metrics::AnswerReport& report) {
  Json json{{"exact", report.exact}, {"f1", report.f1}, {"questions", report.questions}};
  if (report.answerable == report.questions) return json;
  json["answerable"] = {
      {"exact", report.answerable_exact}, {"f1", report.answerable_f1}, {"questions", report.answerable}};
  json["unanswerable"] = {{"exact", report.unanswerable_exact}, {"questions", report.questions - report.answerable}};
  return json;
}

std::string report_text(const metrics::AnswerReport& report) {
  std::string text = fmt::format("exact {:.2f}  F1 {:.2f}  ({} questions)", report.exact, report.f1, report.questions);
  if (report.answerable == report.questions) return text;
  return text + fmt::format("; of {} with an answer: exact {:.2f}  F1 {:.2f}; of {} without one: exact {:.2f}",
                            report.answerable, report.answerable_exact, report.answerable_f1,
                            report.questions - report.answerable, report.unanswerable_exact);
}

}  // namespace

int run_evaluate_question_answering(Command& command) {
  std::filesystem::path folder, data, predictions;
  uint64_t max_examples = 0;
  tasks::AnswerOptions options = squad_answers();
  command.about(
      "Answers the questions of a SQuAD file, version 1.1 or 2.0, and scores the answers by exact match and F1 as the "
      "official scripts do. There may be no answer if the file has a question without one.");
  command.example("heed evaluate question-answering --model model/ --data dev.json --json", "");
  command.example("heed evaluate question-answering --model model/ --data dev.json --predictions answers.json",
                  "the answers as the official scripts read them");
  Options& o = command.options();
  o.add("model", folder, "Folder of the model").required();
  o.add("data", data, "Questions with contexts and answers: SQuAD's JSON").required();
  o.add("predictions", predictions, "Write the answers to this file, a JSON object of answers by question id");
  o.add("max-examples", max_examples, "Only the first so many questions; 0: all");
  add_answer_options(o, options);
  o.add("batch-size", options.batch_size, "Windows computed together").range(1, 4096);
  command.use_model();
  command.use_json();
  command.parse();
  if (!predictions.empty()) check_output(predictions);

  const auto answerer = tasks::QuestionAnswerer::load(folder, command.load_options());
  const data::SquadData questions = tasks::read_questions(data, max_examples);
  options.may_be_null = tasks::has_unanswerable(questions);
  const auto answers = tasks::answer_all(answerer, questions, options);
  if (!predictions.empty()) {
    Json json = Json::object();
    for (size_t i = 0; i < answers->size(); ++i) json[questions.questions[i].id] = (*answers)[i];
    write_output(predictions, json.dump(1) + "\n");
  }
  const metrics::AnswerReport report = tasks::score_answers(questions, *answers);
  command.write_result(report_json(report), report_text(report));
  return kOk;
}

}  // namespace heed::cli
