#include "heed/inspect/svg_panel.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include "heed/base/utf8.h"

namespace heed::inspect {
namespace {

constexpr size_t kMostPoints = 600, kMostMarkers = 60, kLongestName = 22;
constexpr double kTop = 42, kBottom = 44, kCharacter = 6.5, kLineHeight = 15;

// Light and dark, told apart also by who sees few colours.
constexpr std::array<std::pair<const char*, const char*>, kCurveColours> kColours = {{{"#1f6feb", "#6cb0ff"},
                                                                                      {"#d1480f", "#ff9a66"},
                                                                                      {"#0f8a5f", "#4fd6a3"},
                                                                                      {"#8e3fc2", "#cf9cf5"},
                                                                                      {"#b07d00", "#f0c54d"},
                                                                                      {"#c92a6b", "#ff8fb8"},
                                                                                      {"#0a8ea3", "#5fdbe8"},
                                                                                      {"#5a6472", "#aeb8c6"}}};

std::string shortened(const std::string& name) {
  const std::u32string characters = to_code_points(name);
  if (characters.size() <= kLongestName) return name;
  return from_code_points(characters.substr(0, kLongestName - 1)) + "…";
}

struct EndLabel {
  double y = 0;  // where the curve ends, then where the label stands
  std::string name, value, colour;
};

class Drawing {
 public:
  Drawing(const Panel& panel, const std::vector<std::string>& names) : panel_(panel), names_(names) {
    collect_labels();
  }

  // The widths, in characters, of what stands beside the curves.
  size_t left_characters() const {
    size_t widest = 0;
    for (const Tick& tick : panel_.y.ticks()) widest = std::max(widest, tick.label.size());
    return widest;
  }
  size_t right_characters() const {
    size_t widest = 0;
    for (const EndLabel& label : labels_)
      widest = std::max(widest, to_code_points(label.name).size() + 1 + label.value.size());
    return widest;
  }

  std::string draw(const PlotArea& area, const std::string& attributes) {
    area_ = area;
    out_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"panel\" width=\"{0}\" height=\"{1}\" "
        "viewBox=\"0 0 {0} {1}\" role=\"img\" aria-label=\"{3}\"{2}>\n"
        "<rect class=\"sheet\" x=\"0.5\" y=\"0.5\" width=\"{4}\" height=\"{5}\" rx=\"8\"/>\n",
        kPanelWidth, kPanelHeight, attributes, xml_text(panel_.title), kPanelWidth - 1, kPanelHeight - 1);
    put("<text class=\"heading\" x=\"16\" y=\"26\">{}</text>\n", xml_text(panel_.title));
    draw_axes();
    const std::string clip = "clip-" + panel_.key;
    put("<clipPath id=\"{}\"><rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/></clipPath>\n",
        xml_text(clip), area_.left, area_.top, area_.width, area_.height);
    put("<g clip-path=\"url(#{})\">\n", xml_text(clip));
    for (const Curve& curve : panel_.curves)
      if (!curve.raw.empty()) draw_line(curve.raw, curve, "raw");
    for (const Curve& curve : panel_.curves) draw_line(curve.points, curve, curve.validation ? "line" : "line train");
    out_ += "</g>\n";
    for (const Curve& curve : panel_.curves) draw_markers(curve);
    draw_labels();
    out_ += "</svg>\n";
    return std::move(out_);
  }

 private:
  template <class... Args>
  void put(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
  }

  double x_of(double value) const { return area_.left + area_.width * panel_.x.place(value); }
  double y_of(double value) const { return area_.top + area_.height * (1 - panel_.y.place(value)); }
  bool shown(const Point& p) const { return panel_.x.shows(p.x) && panel_.y.shows(p.y); }

  void draw_axes() {
    const double bottom = area_.top + area_.height, right = area_.left + area_.width;
    for (const Tick& tick : panel_.y.ticks()) {
      const double y = y_of(tick.value);
      put("<line class=\"grid\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", area_.left, right, y, y);
      put("<text class=\"tick up\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", area_.left - 8, y + 4, tick.label);
    }
    put("<line class=\"axis\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>\n", area_.left, right, bottom,
        bottom);
    for (const Tick& tick : panel_.x.ticks()) {
      const double x = x_of(tick.value);
      put("<line class=\"axis\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", x, x, bottom, bottom + 4);
      put("<text class=\"tick across\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", x, bottom + 18, tick.label);
    }
    put("<text class=\"tick across\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", area_.left + area_.width / 2, bottom + 36,
        panel_.across);
  }

  void draw_line(const std::vector<Point>& points, const Curve& curve, const char* kind) {
    std::string path;
    bool down = false;  // the pen
    for (const Point& p : thinned(points, kMostPoints)) {
      if (!shown(p)) {
        down = false;
        continue;
      }
      path += fmt::format("{}{:.1f} {:.1f}", down ? "L" : "M", x_of(p.x), y_of(p.y));
      down = true;
    }
    if (path.empty()) return;
    put("<path class=\"{} {}\" d=\"{}\"/>\n", kind, colour_class(curve.run), path);
  }

  void draw_markers(const Curve& curve) {
    const std::string colour = colour_class(curve.run), of = curve.validation ? "validation" : "training";
    const auto inside = [&](const Point& p) { return shown(p) && panel_.y.place(p.y) <= 1 + 1e-9; };
    const auto title = [&](const Point& p, const std::string& what) {
      return fmt::format("<title>{}, {}: {} at {} {}</title>", xml_text(names_[curve.run]), what, short_number(p.y),
                         panel_.across, short_number(p.x));
    };
    const std::vector<Point> points = curve.validation ? curve.points : thinned(curve.points, kMostMarkers);
    const bool crowded = points.size() > kMostMarkers;
    for (const Point& p : points)
      if (inside(p))
        put("<circle class=\"{} {}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\">{}</circle>\n",
            curve.validation && !crowded ? "dot" : "touch", colour, x_of(p.x), y_of(p.y),
            curve.validation && !crowded ? "2.5" : "5", title(p, of));
    for (const Point& p : curve.averaged)
      if (inside(p)) {
        const double x = x_of(p.x), y = y_of(p.y);
        put("<path class=\"mean {}\" d=\"M{:.1f} {:.1f}l5 5l-5 5l-5 -5z\">{}</path>\n", colour, x, y - 5,
            title(p, "mean of snapshots"));
      }
    if (curve.best && inside(*curve.best))
      put("<circle class=\"best {}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"6\">{}</circle>\n", colour, x_of(curve.best->x),
          y_of(curve.best->y), title(*curve.best, "best"));
  }

  // A label for every curve, but for training curves of runs that have a validation curve beside.
  void collect_labels() {
    const bool several = names_.size() > 1;
    for (const Curve& curve : panel_.curves) {
      if (curve.points.empty()) continue;
      const bool doubled = std::any_of(panel_.curves.begin(), panel_.curves.end(), [&](const Curve& other) {
        return other.run == curve.run && other.validation && !curve.validation;
      });
      if (several && doubled) continue;
      const bool both = !several && panel_.key == "loss";
      labels_.push_back({curve.points.back().y,
                         several ? shortened(names_[curve.run])
                         : both  ? std::string(curve.validation ? "validation" : "training")
                                 : std::string(),
                         short_number(curve.points.back().y), colour_class(curve.run)});
    }
  }

  void draw_labels() {
    const double low = area_.top + 4, high = area_.top + area_.height + 4;
    for (EndLabel& label : labels_) label.y = std::clamp(y_of(label.y) + 4, low, high);
    std::sort(labels_.begin(), labels_.end(), [](const EndLabel& a, const EndLabel& b) { return a.y < b.y; });
    // Down past each other, then up again from the lower end.
    for (size_t i = 1; i < labels_.size(); ++i) labels_[i].y = std::max(labels_[i].y, labels_[i - 1].y + kLineHeight);
    if (!labels_.empty()) labels_.back().y = std::min(labels_.back().y, high);
    for (size_t i = labels_.size(); i-- > 1;) labels_[i - 1].y = std::min(labels_[i - 1].y, labels_[i].y - kLineHeight);
    for (const EndLabel& label : labels_)
      put("<text class=\"label {}\" x=\"{:.1f}\" y=\"{:.1f}\">{}{}<tspan class=\"value\">{}</tspan></text>\n",
          label.colour, area_.left + area_.width + 10, label.y, xml_text(label.name), label.name.empty() ? "" : " ",
          label.value);
  }

  const Panel& panel_;
  const std::vector<std::string>& names_;
  std::vector<EndLabel> labels_;
  PlotArea area_;
  std::string out_;
};

}  // namespace

PlotArea common_area(std::span<const Panel> panels, const std::vector<std::string>& names) {
  size_t left = 0, right = 0;
  for (const Panel& panel : panels) {
    const Drawing drawing(panel, names);
    left = std::max(left, drawing.left_characters());
    right = std::max(right, drawing.right_characters());
  }
  PlotArea area;
  area.left = 22 + kCharacter * static_cast<double>(left);
  area.top = kTop;
  area.width = kPanelWidth - area.left - 26 - kCharacter * static_cast<double>(right);
  area.height = kPanelHeight - kTop - kBottom;
  return area;
}

std::string draw_panel(const Panel& panel, const std::vector<std::string>& names, const PlotArea& area,
                       const std::string& attributes) {
  return Drawing(panel, names).draw(area, attributes);
}

std::string panel_style() {
  std::string style =
      R"(.panel text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif }
.panel .heading { font-size: 14px; font-weight: 600; fill: #1c2128 }
.panel .tick { fill: #656d76; font-variant-numeric: tabular-nums }
.panel .up { text-anchor: end }
.panel .across { text-anchor: middle }
.panel .label { font-weight: 600 }
.panel .value { font-weight: 400 }
.sheet { fill: #ffffff; stroke: #d8dee4 }
.grid { stroke: #e8ebef }
.axis { stroke: #afb8c1 }
.line, .raw, .best { fill: none }
.line { stroke-width: 2; stroke-linejoin: round; stroke-linecap: round }
.train { stroke-width: 1.4 }
.raw { stroke-width: 1; opacity: .22 }
.best { stroke-width: 1.5 }
.panel .touch { fill-opacity: 0; stroke: none }
.panel .touch:hover { fill-opacity: 1 }
.dot { stroke: none }
)";
  std::string dark;
  for (size_t i = 0; i < kColours.size(); ++i) {
    style += fmt::format(
        "path.c{0}, .best.c{0} {{ stroke: {1} }}\n.dot.c{0}, .mean.c{0}, .touch.c{0}, text.c{0} {{ fill: {1} }}\n", i,
        kColours[i].first);
    dark += fmt::format(
        "path.c{0}, .best.c{0} {{ stroke: {1} }}\n.dot.c{0}, .mean.c{0}, .touch.c{0}, text.c{0} {{ fill: {1} }}\n", i,
        kColours[i].second);
  }
  return style + ".again { stroke-dasharray: 6 3 }\n@media (prefers-color-scheme: dark) {\n" +
         ".panel .heading { fill: #e6edf3 }\n.panel .tick { fill: #9198a1 }\n"
         ".sheet { fill: #161b22; stroke: #30363d }\n.grid { stroke: #262c34 }\n.axis { stroke: #4b535d }\n" +
         dark + "}\n";
}

std::string colour_class(size_t run) {
  return fmt::format("c{}{}", run % kCurveColours, run >= kCurveColours ? " again" : "");
}

std::string xml_text(const std::string& text) {
  std::string out;
  for (const char c : to_valid_utf8(text)) {
    switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      default:
        if (static_cast<unsigned char>(c) >= ' ') out += c;
    }
  }
  return out;
}

}  // namespace heed::inspect
