// heed score: the log-probability of given translations.
#include "heed/cli/commands.h"
#include "heed/cli/files.h"
#include "heed/cli/source_options.h"
#include "heed/tasks/translation.h"

namespace heed::cli {

int run_score(Command& command) {
  std::filesystem::path folder, source, target;
  size_t batch_size = 64;
  SourceOptions source_options;
  command.about(
      "The log-probability that a model gives to translations: one number a line, of the whole sentence with its\n"
      "end token; with --json also of each token.");
  command.example("heed score --model model/ --source test.en --target test.de", "a number for each pair");
  command.options().add("model", folder, "Folder of the model").required();
  command.options().add("source", source, "Source lines").required();
  command.options().add("target", target, "Their translations").required();
  command.options().add("batch-size", batch_size, "Pairs computed together").range(1, 4096);
  source_options.add_to(command, false);
  command.use_model();
  command.use_json();
  command.parse();
  const auto model = tasks::TranslationModel::load(folder, command.load_options());
  for (const auto& pair : tasks::score_pairs(model, read_lines(source), read_lines(target), batch_size,
                                             source_options.task(model).prefix)) {
    if (!command.common().json) command.output().line(fmt::format("{:.6f}", pair.sum_log_prob));
    else
      command.output().line(
          Json{{"sum_log_prob", pair.sum_log_prob}, {"tokens", pair.tokens}, {"token_log_probs", pair.token_log_probs}}
              .dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  command.output().flush();
  return kOk;
}

}  // namespace heed::cli
