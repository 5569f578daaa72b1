// A panel of curves as SVG: a grid at round numbers, curves labelled where they end, values as titles that a browser
// shows under the pointer. Colours and fonts are classes of panel_style(). Pure functions.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "heed/inspect/curves.h"

namespace heed::inspect {

inline constexpr int kPanelWidth = 680, kPanelHeight = 340;
inline constexpr size_t kCurveColours = 8;  // more runs begin again, dashed

// Where the curves lie in the panel.
struct PlotArea {
  double left = 0, top = 0, width = 0, height = 0;
};

// One for all of these panels, so that their axes stand under each other.
PlotArea common_area(std::span<const Panel> panels, const std::vector<std::string>& names);

// <svg> of kPanelWidth x kPanelHeight. `names`: of the runs. Further attributes (x, y) may be given to the <svg>.
std::string draw_panel(const Panel& panel, const std::vector<std::string>& names, const PlotArea& area,
                       const std::string& attributes = "");

// The style sheet of panels, light and dark.
std::string panel_style();

// The class that gives a run its colour: "c3".
std::string colour_class(size_t run);

// Text with <, >, & and quotes written as XML has them, and control characters left out.
std::string xml_text(const std::string& text);

}  // namespace heed::inspect
