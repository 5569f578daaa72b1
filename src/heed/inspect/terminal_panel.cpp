#include "heed/inspect/terminal_panel.h"

#include <algorithm>
#include <cmath>

#include "heed/base/error.h"
#include "heed/base/utf8.h"

namespace heed::inspect {
namespace {

constexpr int kAcross = 2, kDown = 4;  // points of a Braille character
constexpr int kLetterColumns = 2;      // behind the plot
constexpr int kRowsOfTick = 3;
constexpr int kLeastPlot = 10;  // columns
constexpr size_t kMostMarkers = 24;
constexpr char32_t kBraille = 0x2800;

// A grid of characters, each of Braille points or of one that stands over them.
class Canvas {
 public:
  Canvas(int columns, int rows) : columns_(columns), rows_(rows), cells_(static_cast<size_t>(columns * rows)) {}

  int width() const { return columns_ * kAcross; }  // in points
  int height() const { return rows_ * kDown; }

  void point(int x, int y, int run) {
    if (x < 0 || y < 0 || x >= width() || y >= height()) return;
    // The bits of a Braille character by column and row (Unicode 15, section 21.1).
    static constexpr int kBits[kDown][kAcross] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    Cell& cell = at(x / kAcross, y / kDown);
    cell.points |= kBits[y % kDown][x % kAcross];
    cell.run = run;
  }

  // Every point on the way (Bresenham).
  void line(int x0, int y0, int x1, int y1, int run) {
    const int dx = std::abs(x1 - x0), dy = -std::abs(y1 - y0), sx = x0 < x1 ? 1 : -1, sy = y0 < y1 ? 1 : -1;
    for (int error = dx + dy;;) {
      point(x0, y0, run);
      if (x0 == x1 && y0 == y1) return;
      const int twice = 2 * error;
      if (twice >= dy) error += dy, x0 += sx;
      if (twice <= dx) error += dx, y0 += sy;
    }
  }

  void mark(int x, int y, char32_t character, int run) {
    if (x < 0 || y < 0 || x >= width() || y >= height()) return;
    Cell& cell = at(x / kAcross, y / kDown);
    cell.mark = character;
    cell.run = run;
  }

  SpanLine row(int r) const {
    SpanLine line;
    for (int c = 0; c < columns_; ++c) {
      const Cell& cell = cells_[place(c, r)];
      if (line.empty() || line.back().run != cell.run) line.push_back({"", cell.run});
      append_utf8(line.back().text, cell.mark     ? cell.mark
                                    : cell.points ? kBraille + static_cast<char32_t>(cell.points)
                                                  : U' ');
    }
    return line;
  }

 private:
  struct Cell {
    int points = 0, run = -1;
    char32_t mark = 0;
  };
  size_t place(int column, int row) const {
    return static_cast<size_t>(row) * static_cast<size_t>(columns_) + static_cast<size_t>(column);
  }
  Cell& at(int column, int row) { return cells_[place(column, row)]; }

  int columns_, rows_;
  std::vector<Cell> cells_;
};

struct Plot {
  const Panel& panel;
  Canvas canvas;

  int x_of(double value) const { return static_cast<int>(std::lround(panel.x.place(value) * (canvas.width() - 1))); }
  // Far outside is as good as just outside.
  int y_of(double value) const {
    const double place = std::clamp(panel.y.place(value), -1.0, 2.0);
    return static_cast<int>(std::lround((1 - place) * (canvas.height() - 1)));
  }
  bool shows(const Point& p) const { return panel.x.shows(p.x) && panel.y.shows(p.y); }

  void draw(const Curve& curve) {
    const auto run = static_cast<int>(curve.run);
    const Point* last = nullptr;
    const auto points = thinned(curve.points, 2 * static_cast<size_t>(canvas.width()));
    for (const Point& p : points) {
      if (shows(p) && last) canvas.line(x_of(last->x), y_of(last->y), x_of(p.x), y_of(p.y), run);
      else if (shows(p)) canvas.point(x_of(p.x), y_of(p.y), run);
      last = shows(p) ? &p : nullptr;
    }
  }

  void mark(const Curve& curve) {
    if (!curve.validation || curve.points.size() > kMostMarkers) return;
    for (const Point& p : curve.points)
      if (shows(p)) canvas.mark(x_of(p.x), y_of(p.y), U'o', static_cast<int>(curve.run));
  }
};

std::string padded_left(const std::string& text, size_t width) {
  return std::string(width > text.size() ? width - text.size() : 0, ' ') + text;
}

// The labels of the lower axis under their places, leaving out those that would touch.
std::string labels_below(const Axis& axis, int columns) {
  std::string line(static_cast<size_t>(columns + 6), ' ');
  int free = 0;
  for (const Tick& tick : axis.ticks()) {
    const int middle = static_cast<int>(std::lround(axis.place(tick.value) * (columns - 1)));
    const int begin = std::max(0, middle - static_cast<int>(tick.label.size()) / 2);
    if (begin < free || begin + static_cast<int>(tick.label.size()) > columns + 4) continue;
    line.replace(static_cast<size_t>(begin), tick.label.size(), tick.label);
    free = begin + static_cast<int>(tick.label.size()) + 2;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

// Which letter stands behind which row: of curves that end there, the first free row next to their end.
std::vector<int> letters_by_row(const Plot& plot, int rows) {
  std::vector<int> letters(static_cast<size_t>(rows), -1);
  for (const Curve& curve : plot.panel.curves) {
    if (curve.points.empty() || !plot.shows(curve.points.back())) continue;
    const auto run = static_cast<int>(curve.run);
    const int wanted = std::clamp(plot.y_of(curve.points.back().y) / kDown, 0, rows - 1);
    for (int away = 0; away < rows; ++away) {
      int row = wanted + away;
      if (row >= rows || letters[static_cast<size_t>(row)] >= 0) row = wanted - away;
      if (row < 0 || letters[static_cast<size_t>(row)] >= 0) continue;
      letters[static_cast<size_t>(row)] = run;
      break;
    }
  }
  return letters;
}

}  // namespace

std::string run_letter(size_t run) {
  return run < 26 ? std::string(1, static_cast<char>('A' + run)) : std::to_string(run + 1);
}

std::vector<SpanLine> draw_text_panel(const Panel& drawn, int columns, int rows) {
  // Ticks for the rows that there are.
  Panel panel = drawn;
  panel.y = Axis(drawn.y.low(), drawn.y.high(), drawn.y.is_log(), std::max(2, rows / kRowsOfTick));
  size_t widest = 0;
  for (const Tick& tick : panel.y.ticks()) widest = std::max(widest, tick.label.size());
  const int wide = std::max(kLeastPlot, columns - static_cast<int>(widest) - 2 - kLetterColumns - 1);
  Plot plot{panel, Canvas(wide, rows)};
  for (const Curve& curve : panel.curves) plot.draw(curve);
  for (const Curve& curve : panel.curves) plot.mark(curve);

  std::vector<std::string> labels(static_cast<size_t>(rows));
  for (const Tick& tick : panel.y.ticks())
    labels[static_cast<size_t>(std::clamp(plot.y_of(tick.value) / kDown, 0, rows - 1))] = tick.label;
  const std::vector<int> letters = letters_by_row(plot, rows);
  std::vector<SpanLine> lines;
  for (int r = 0; r < rows; ++r) {
    const auto row = static_cast<size_t>(r);
    SpanLine line{{padded_left(labels[row], widest) + (labels[row].empty() ? " │" : " ┤"), -1}};
    for (Span& span : plot.canvas.row(r)) line.push_back(std::move(span));
    if (letters[row] >= 0)
      line.push_back({fmt::format(" {}", run_letter(static_cast<size_t>(letters[row]))), letters[row]});
    lines.push_back(std::move(line));
  }
  std::string axis(widest + 1, ' ');
  axis += "└";
  std::vector<bool> ticks(static_cast<size_t>(wide));
  for (const Tick& tick : panel.x.ticks())
    ticks[static_cast<size_t>(std::clamp<long>(std::lround(panel.x.place(tick.value) * (wide - 1)), 0, wide - 1))] =
        true;
  for (const bool tick : ticks) axis += tick ? "┴" : "─";
  lines.push_back({{std::move(axis), -1}});
  lines.push_back({{std::string(widest + 2, ' ') + labels_below(panel.x, wide), -1}});
  return lines;
}

}  // namespace heed::inspect
