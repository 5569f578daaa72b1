// heed curves: what trainings wrote down, as a page, a picture, a plot in the terminal, or numbers.
#include <algorithm>
#include <cmath>

#include "heed/base/files.h"
#include "heed/base/json.h"
#include "heed/base/log.h"
#include "heed/cli/commands.h"
#include "heed/cli/terminal.h"
#include "heed/inspect/curves_page.h"
#include "heed/inspect/terminal_panel.h"

namespace heed::cli {
namespace {

using inspect::TrainingLog;

constexpr int kUsualRows = 12, kSmallRows = 6;  // of a plot in the terminal; of rates

// What the runs are called: as asked for, else by their folders, or by their paths where folders share a name.
std::vector<std::string> names_of(const std::vector<TrainingLog>& runs, const Strings& asked) {
  check<UsageError>(asked.size() <= runs.size(), "--name is given {} times, but there are {} runs", asked.size(),
                    runs.size());
  std::vector<std::string> names = asked;
  for (size_t i = names.size(); i < runs.size(); ++i) {
    const bool shared =
        std::count_if(runs.begin(), runs.end(), [&](const auto& r) { return r.name == runs[i].name; }) > 1;
    names.push_back(printable(shared ? runs[i].file.parent_path().string() : runs[i].name));
  }
  return names;
}

Style style_of(int run) {
  static constexpr Style kStyles[] = {Style::kCyan,    Style::kYellow, Style::kGreen,
                                      Style::kMagenta, Style::kRed,    Style::kBlue};
  return kStyles[static_cast<size_t>(run) % std::size(kStyles)];
}

void draw_in_terminal(Command& command, const std::vector<TrainingLog>& runs, const std::vector<std::string>& names,
                      const std::vector<inspect::Panel>& panels) {
  Output& out = command.output();
  const bool colour = wants_colour(out.descriptor(), command.environment(), command.common().no_color);
  const int width = terminal_width(out.descriptor(), command.environment());
  for (size_t i = 0; i < runs.size(); ++i) {
    const std::string letter = paint(inspect::run_letter(i), style_of(static_cast<int>(i)), colour);
    out.line(letter + "  " + cut_to_width(inspect::summary_of(runs[i], names[i]).line(), width - 4));
  }
  for (const inspect::Panel& panel : panels) {
    const bool is_rate = panel.key == "learning_rate" || panel.key == "targets_per_second";
    out.line("");
    out.line(paint(panel.title, Style::kBold, colour));
    for (const inspect::SpanLine& line : inspect::draw_text_panel(panel, width, is_rate ? kSmallRows : kUsualRows)) {
      std::string text;
      for (const inspect::Span& span : line)
        text += span.run < 0 ? span.text : paint(span.text, style_of(span.run), colour);
      out.line(text);
    }
    out.line(paint(fmt::format("{:>{}}", panel.across, width / 2), Style::kDim, colour));
  }
  out.flush();
}

Json as_json(const std::vector<TrainingLog>& runs, const std::vector<std::string>& names) {
  Json all = Json::array();
  const auto number = [](double x) { return std::isfinite(x) ? Json(x) : Json(); };
  for (size_t i = 0; i < runs.size(); ++i) {
    Json train = {{"step", Json::array()},          {"epoch", Json::array()},   {"loss", Json::array()},
                  {"learning_rate", Json::array()}, {"targets", Json::array()}, {"targets_per_second", Json::array()},
                  {"seconds", Json::array()}};
    for (const inspect::LoggedStep& s : runs[i].steps) {
      train["step"].push_back(s.step);
      train["epoch"].push_back(s.epoch);
      train["loss"].push_back(number(s.loss));
      train["learning_rate"].push_back(number(s.learning_rate));
      train["targets"].push_back(number(s.targets));
      train["targets_per_second"].push_back(number(s.targets_per_second));
      train["seconds"].push_back(number(s.seconds));
    }
    Json valid = Json::array();
    for (const inspect::LoggedValidation& v : runs[i].validations) {
      Json one{{"step", v.step}, {"seconds", v.seconds}, {"weights", v.averaged ? "average" : "current"}};
      one["best"] = &v == runs[i].best();
      for (const auto& [name, value] : v.metrics) one[name] = number(value);
      valid.push_back(std::move(one));
    }
    all.push_back({{"name", names[i]}, {"file", runs[i].file.string()}, {"train", train}, {"valid", valid}});
  }
  return {{"runs", all}};
}

void write_page(const std::filesystem::path& file, const std::vector<TrainingLog>& runs,
                const std::vector<std::string>& names, const std::vector<inspect::Panel>& panels) {
  const bool svg = file.extension() == ".svg";
  write_output(file, svg ? curves_svg(runs, names, panels) : curves_html(runs, names, panels));
  log().info("{}: {} of {}", file.string(), svg ? "a picture" : "a page",
             names.size() == 1 ? names[0] : fmt::format("{} runs", names.size()));
}

}  // namespace

int run_curves(Command& command) {
  std::vector<std::filesystem::path> given;
  Strings asked;
  std::filesystem::path output = "curves.html";
  bool terminal = false;
  inspect::CurveOptions options;
  command.about(
      "Draws loss, scores, learning rate and throughput of one or several trainings: as a page (.html) or picture "
      "(.svg) that needs no other file, as a plot in the terminal, or as numbers. It may be used while they run.");
  command.example("heed curves model/", "writes curves.html");
  command.example("heed curves model-a/ model-b/ --output compare.svg", "two trainings in one picture");
  command.example("heed curves model/ --terminal --show loss", "the loss, here");
  Options& o = command.options();
  o.add_positional("run", given, "Folders of trainings, or their metrics.jsonl").required();
  o.add("output", output, "File to write: .html or .svg").default_text("curves.html, unless --terminal or --json");
  o.add("terminal", terminal, "Draw in the terminal");
  o.add("show", options.show, "What to draw, in this order: loss, learning_rate, targets_per_second, a score's name")
      .default_text("all but the perplexity");
  o.add("name", asked, "What the runs are called, in their order").default_text("their folders");
  o.add_choice<inspect::Across>("across", options.across,
                                {{"steps", inspect::Across::kSteps},
                                 {"minutes", inspect::Across::kMinutes},
                                 {"targets", inspect::Across::kTargets}},
                                "What goes from left to right; targets: tokens, examples");
  o.add("log-x", options.log_x, "From left to right in equal factors");
  o.add("log-y", options.log_y, "Upwards in equal factors: losses and the learning rate");
  o.add("smooth", options.smoothing, "Share of the past in what is drawn of training; 0: every record as it is")
      .range(0, 0.9999)
      .default_text("by the number of records");
  command.use_json();
  command.parse();

  const std::string ending = output.extension().string();
  check<UsageError>(ending == ".html" || ending == ".svg", "--output {}: .html or .svg is expected", output.string());
  std::vector<TrainingLog> runs;
  runs.reserve(given.size());
  for (const auto& run : given) runs.push_back(inspect::read_training_log(run));
  const std::vector<std::string> names = names_of(runs, asked);
  const bool to_file = o.given("output") || !(terminal || command.common().json);
  if (terminal || to_file) {
    const std::vector<inspect::Panel> panels = inspect::make_panels(runs, options);
    if (terminal) draw_in_terminal(command, runs, names, panels);
    if (to_file) write_page(output, runs, names, panels);
  }
  if (command.common().json)
    command.output().line(as_json(runs, names).dump(-1, ' ', false, Json::error_handler_t::replace));
  command.output().flush();
  return kOk;
}

}  // namespace heed::cli
