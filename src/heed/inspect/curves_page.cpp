#include "heed/inspect/curves_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "heed/base/json.h"
#include "heed/inspect/svg_panel.h"

namespace heed::inspect {
namespace {

constexpr size_t kMostPoints = 400;  // of a curve, for values under the pointer
constexpr int kGap = 16, kLegendLine = 24;

constexpr const char* kPageStyle = R"(:root { color-scheme: light dark }
body { margin: 0; background: #f6f8fa; color: #1c2128; font: 14px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif }
main { max-width: 1440px; margin: 0 auto; padding: 24px 20px 40px }
h1 { font-size: 20px; margin: 0 0 12px }
table { border-collapse: collapse; margin: 0 0 20px; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: 4px 24px 4px 0; border-bottom: 1px solid #d8dee4; white-space: nowrap }
th { font-weight: 500; color: #656d76 }
td.number, th.number { text-align: right }
.swatch { width: 22px; height: 10px; vertical-align: middle; margin-right: 8px; overflow: visible }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(560px, 100%), 1fr)); gap: 16px }
figure { margin: 0; position: relative }
figure svg { display: block; width: 100%; height: auto }
.cursor { stroke: #8c959f; stroke-dasharray: 2 2; visibility: hidden }
.values { position: absolute; top: 0; pointer-events: none; visibility: hidden; background: #ffffffee; border: 1px solid #d8dee4; border-radius: 6px; padding: 5px 9px; font-size: 12px; line-height: 1.45; box-shadow: 0 2px 8px #1f23281f; white-space: nowrap }
.note { color: #656d76; font-size: 12px; margin: 16px 0 0 }
@media (prefers-color-scheme: dark) {
body { background: #0d1117; color: #e6edf3 }
th, .note { color: #9198a1 }
th, td { border-color: #30363d }
.values { background: #161b22ee; border-color: #30363d }
.cursor { stroke: #6e7681 }
}
)";

// Shows the values at the pointer's place in each panel.
constexpr const char* kScript = R"(
const text = (v) => { const a = Math.abs(v); return a >= 1e4 ? Math.round(v).toLocaleString('en') : a && a < 1e-3 ? v.toExponential(1).replace('e-0', 'e-') : String(+v.toPrecision(4)); };
for (const panel of panels) {
  const figure = document.getElementById(panel.id), svg = figure.querySelector('svg');
  const cursor = figure.querySelector('.cursor'), values = figure.querySelector('.values');
  const place = (x) => panel.log ? Math.log(x / panel.low) / Math.log(panel.high / panel.low) : (x - panel.low) / (panel.high - panel.low);
  const hide = () => { cursor.style.visibility = values.style.visibility = 'hidden'; };
  svg.addEventListener('pointerleave', hide);
  svg.addEventListener('pointermove', (event) => {
    const box = svg.getBoundingClientRect(), scale = panel.size / box.width;
    const at = ((event.clientX - box.left) * scale - panel.left) / panel.width;
    if (at < -0.01 || at > 1.01) return hide();
    let nearest = null;
    for (const curve of panel.curves) for (const point of curve.points)
      if (nearest === null || Math.abs(place(point[0]) - at) < Math.abs(place(nearest) - at)) nearest = point[0];
    if (nearest === null) return hide();
    const x = panel.left + panel.width * place(nearest);
    cursor.setAttribute('x1', x); cursor.setAttribute('x2', x); cursor.style.visibility = 'visible';
    values.replaceChildren();
    const head = document.createElement('div');
    head.textContent = panel.across + ' ' + text(nearest);
    values.append(head);
    for (const curve of panel.curves) {
      let best = null;
      for (const point of curve.points) if (best === null || Math.abs(place(point[0]) - place(nearest)) < Math.abs(place(best[0]) - place(nearest))) best = point;
      if (best === null || Math.abs(place(best[0]) - place(nearest)) > 0.03) continue;
      const row = document.createElement('div');
      row.className = 'row';
      row.innerHTML = '<svg class="swatch" viewBox="0 0 22 10"><path class="line ' + curve.colour + '" d="M0 5H22"/></svg>';
      row.append(curve.name + ': ' + text(best[1]));
      values.append(row);
    }
    values.style.visibility = 'visible';
    const left = x / scale, wide = values.offsetWidth;
    values.style.left = (left + 14 + wide > box.width ? left - 14 - wide : left + 14) + 'px';
    values.style.top = (panel.top / scale + 4) + 'px';
  });
}
)";

std::string duration_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{}:{:02} min", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02} h", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string swatch(size_t run) {
  return fmt::format(R"(<svg class="swatch" viewBox="0 0 22 10"><path class="line {}" d="M0 5H22"/></svg>)",
                     colour_class(run));
}

std::string runs_table(std::span<const TrainingLog> runs, const std::vector<std::string>& names) {
  std::string html =
      "<table><thead><tr><th>run</th><th class=\"number\">steps</th><th class=\"number\">epochs</th>"
      "<th class=\"number\">time</th><th class=\"number\">training loss</th><th>best on held-out data</th></tr></thead>"
      "<tbody>\n";
  for (size_t i = 0; i < runs.size(); ++i) {
    const RunSummary s = summary_of(runs[i], names[i]);
    html += fmt::format("<tr><td>{}{}</td>", swatch(i), xml_text(s.name));
    for (const std::string* value : {&s.steps, &s.epochs, &s.time, &s.loss})
      html += fmt::format("<td class=\"number\">{}</td>", *value);
    html += fmt::format("<td>{}</td></tr>\n", xml_text(s.best));
  }
  return html + "</tbody></table>\n";
}

// What the script needs of a panel.
Json panel_data(const Panel& panel, const PlotArea& area, const std::string& id,
                const std::vector<std::string>& names) {
  Json curves = Json::array();
  for (const Curve& curve : panel.curves) {
    Json points = Json::array();
    for (const Point& p : thinned(curve.points, kMostPoints))
      points.push_back({std::stod(fmt::format("{:.6g}", p.x)), std::stod(fmt::format("{:.5g}", p.y))});
    std::string name = names[curve.run];
    if (panel.key == "loss") name += curve.validation ? ", validation" : ", training";
    curves.push_back({{"name", name}, {"colour", colour_class(curve.run)}, {"points", std::move(points)}});
  }
  return {{"id", id},
          {"across", panel.across},
          {"low", panel.x.low()},
          {"high", panel.x.high()},
          {"log", panel.x.is_log()},
          {"left", area.left},
          {"top", area.top},
          {"width", area.width},
          {"size", kPanelWidth},
          {"curves", std::move(curves)}};
}

// JSON that may stand in a script: nothing in it ends the element.
std::string script_json(const Json& json) {
  std::string out;
  for (const char c : json.dump(-1, ' ', true, Json::error_handler_t::replace)) {
    if (c == '<') out += "\\u003c";
    else out += c;
  }
  return out;
}

}  // namespace

std::string RunSummary::line() const {
  std::string text = fmt::format("{}: {} steps in {}, training loss {}", name, steps, time, loss);
  return best.empty() ? text : text + fmt::format("; best: {}", best);
}

RunSummary summary_of(const TrainingLog& log, const std::string& name) {
  RunSummary s{.name = name};
  double seconds = 0, steps = 0;
  if (!log.steps.empty()) {
    const LoggedStep& last = log.steps.back();
    s.epochs = std::to_string(last.epoch + 1);
    s.loss = short_number(last.loss);
    seconds = last.seconds;
    steps = static_cast<double>(last.step);
  }
  if (!log.validations.empty()) {
    seconds = std::max(seconds, log.validations.back().seconds);
    steps = std::max(steps, static_cast<double>(log.validations.back().step));
  }
  s.steps = short_number(steps);
  s.time = duration_text(seconds);
  if (const LoggedValidation* best = log.best()) {
    for (const auto& [key, value] : best->metrics)
      s.best += fmt::format("{}{} {}", s.best.empty() ? "" : ", ", title_of(key), short_number(value));
    s.best += fmt::format(" (step {}{})", short_number(static_cast<double>(best->step)),
                          best->averaged ? ", mean of snapshots" : "");
  }
  return s;
}

std::string curves_html(std::span<const TrainingLog> runs, const std::vector<std::string>& names,
                        std::span<const Panel> panels) {
  std::string title = names.front();
  for (size_t i = 1; i < names.size(); ++i) title += ", " + names[i];
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\">\n<title>Training curves: {}</title>\n<style>\n{}{}</style>\n"
      "</head>\n<body>\n<main>\n<h1>Training curves</h1>\n{}<div class=\"panels\">\n",
      xml_text(title), kPageStyle, panel_style(), runs_table(runs, names));
  const PlotArea area = common_area(panels, names);
  Json data = Json::array();
  for (const Panel& panel : panels) {
    const std::string id = fmt::format("panel-{}", data.size());
    std::string svg = draw_panel(panel, names, area);
    const std::string cursor =
        fmt::format("<line class=\"cursor\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>\n</svg>\n", area.top, area.top + area.height);
    svg.replace(svg.rfind("</svg>"), std::string::npos, cursor);
    html += fmt::format("<figure id=\"{}\">\n{}<div class=\"values\"></div>\n</figure>\n", id, svg);
    data.push_back(panel_data(panel, area, id, names));
  }
  return html +
         "</div>\n<p class=\"note\">Thin lines: training, smoothed over the pale line. Dots: validation; a ring marks "
         "the "
         "best, a diamond the mean of snapshots.</p>\n</main>\n<script>\nconst panels = " +
         script_json(data) + ";" + kScript + "</script>\n</body>\n</html>\n";
}

std::string curves_svg(std::span<const TrainingLog> runs, const std::vector<std::string>& names,
                       std::span<const Panel> panels) {
  const int columns = panels.size() > 1 ? 2 : 1, rows = (static_cast<int>(panels.size()) + columns - 1) / columns;
  const int legend = 2 * kGap + kLegendLine * static_cast<int>(runs.size());
  const int width = columns * kPanelWidth + (columns + 1) * kGap;
  const int height = legend + rows * (kPanelHeight + kGap);
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
      "class=\"panel\">\n"
      "<style>\n.page {{ fill: #f6f8fa }}\n.panel .entry {{ fill: #1c2128 }}\n@media (prefers-color-scheme: dark) "
      "{{ .page {{ fill: #0d1117 }} .panel .entry {{ fill: #e6edf3 }} }}\n{2}</style>\n"
      "<rect class=\"page\" width=\"{0}\" height=\"{1}\"/>\n",
      width, height, panel_style());
  for (size_t i = 0; i < runs.size(); ++i) {
    const int y = kGap + 8 + kLegendLine * static_cast<int>(i);
    svg += fmt::format("<path class=\"line {}\" d=\"M{} {}h22\"/><text class=\"entry\" x=\"{}\" y=\"{}\">{}</text>\n",
                       colour_class(i), kGap, y, kGap + 30, y + 4, xml_text(summary_of(runs[i], names[i]).line()));
  }
  const PlotArea area = common_area(panels, names);
  for (size_t i = 0; i < panels.size(); ++i) {
    const int column = static_cast<int>(i) % columns, row = static_cast<int>(i) / columns;
    svg += draw_panel(
        panels[i], names, area,
        fmt::format(" x=\"{}\" y=\"{}\"", kGap + column * (kPanelWidth + kGap), legend + row * (kPanelHeight + kGap)));
  }
  return svg + "</svg>\n";
}

}  // namespace heed::inspect
