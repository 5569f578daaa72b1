#include "heed/cli/source_options.h"

#include <chrono>

#include "heed/base/json.h"
#include "heed/text/line_reader.h"

namespace heed::cli {
namespace {

std::string as_json(const std::vector<tasks::Translation>& translations) {
  const auto one = [](const tasks::Translation& t) {
    return Json{{"text", t.text}, {"score", t.score}, {"sum_log_prob", t.sum_log_prob}, {"ids", t.ids}};
  };
  Json line = one(translations.at(0));
  if (translations.size() > 1) {
    line["n_best"] = Json::array();
    for (const auto& t : translations) line["n_best"].push_back(one(t));
  }
  return line.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

void SourceOptions::add_to(Command& command, bool lengths) {
  Options& o = command.options();
  o.section("Source");
  o.add("prefix", prefix_, "Text that stands before every source, such as 'translate English to German: '")
      .default_text("the task's");
  o.add("task", task_, "A task that config.json has parameters for, such as translation_en_to_de or summarization");
  if (!lengths) return;
  o.add("max-source-length", max_source_length_, "Most tokens of a source; 0: as many as the model has positions");
  o.add("split-sentences", split_sentences_, "Longer sources are split into sentences; else they are cut");
}

tasks::TaskParameters SourceOptions::task(const tasks::TranslationModel& model, const std::string& usual) const {
  const Json& config = model.model->config();
  tasks::TaskParameters result;
  if (!task_.empty()) result = tasks::find_task(config, task_);
  else
    for (tasks::TaskParameters& known : tasks::task_parameters(config))
      if (known.name == usual) result = std::move(known);
  if (prefix_) result.prefix = *prefix_;
  return result;
}

void stream_texts(Command& command, const tasks::TranslationModel& model, const tasks::TranslateOptions& options,
                  const std::function<std::optional<std::string>()>& next, const std::string& unit) {
  const auto begin = std::chrono::steady_clock::now();
  Progress progress = command.progress();
  uint64_t done = 0;
  const auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
  const auto report = tasks::translate_stream(model, options, next, [&](std::vector<tasks::Translation>&& texts) {
    if (command.common().json) command.output().line(as_json(texts));
    else
      for (const auto& t : texts) command.output().line(t.text);
    ++done;
    progress.update(
        [&] { return fmt::format("{} {}  {}", done, unit, format_rate(static_cast<double>(done) / seconds(), unit)); });
  });
  command.output().flush();
  const auto rate = static_cast<double>(report.target_tokens) / seconds();
  progress.finish(fmt::format("{} {} ({} empty, {} cut, {} split) in {}, {}", report.lines, unit, report.empty,
                              report.cut, report.split, format_duration(seconds()),
                              format_rate(rate, "target tokens")));
}

void stream_lines(Command& command, const tasks::TranslationModel& model, tasks::TranslateOptions options,
                  const std::string& input, size_t window, const std::string& unit) {
  options.window = input == "-" && command.input_is_terminal() ? 1 : window;
  text::LineReader reader(input);
  const auto next = [&]() -> std::optional<std::string> {
    std::string line;
    return reader.next(line) ? std::optional(std::move(line)) : std::nullopt;
  };
  stream_texts(command, model, options, next, unit);
}

}  // namespace heed::cli
