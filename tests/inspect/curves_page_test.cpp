// Pages and pictures of curves: well-formed, complete in themselves, with the curves where they belong.
#include "heed/inspect/curves_page.h"

#include <gmock/gmock.h>

#include <regex>

#include "heed/inspect/svg_panel.h"
#include "made_runs.h"

namespace heed::inspect {
namespace {

using heed::testing::TemporaryFolder;
using ::testing::HasSubstr;
using ::testing::Not;

size_t count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
  return n;
}

// Whether every element that is opened is closed, in order, and text holds no stray brackets.
::testing::AssertionResult is_well_formed(const std::string& xml) {
  std::vector<std::string> open;
  for (size_t at = 0; (at = xml.find('<', at)) != std::string::npos;) {
    const size_t end = xml.find('>', at);
    if (end == std::string::npos) return ::testing::AssertionFailure() << "a tag without an end";
    const std::string tag = xml.substr(at + 1, end - at - 1);
    at = end + 1;
    if (tag.find('<') != std::string::npos) return ::testing::AssertionFailure() << "a stray < in " << tag;
    if (count(tag, "\"") % 2 != 0) return ::testing::AssertionFailure() << "an open quote in " << tag;
    if (tag.ends_with('/')) continue;
    const std::string name = tag.substr(0, tag.find_first_of(" \n"));
    if (!name.starts_with('/')) {
      open.push_back(name);
    } else {
      if (open.empty() || open.back() != name.substr(1)) return ::testing::AssertionFailure() << "unexpected " << name;
      open.pop_back();
    }
  }
  if (!open.empty()) return ::testing::AssertionFailure() << open.back() << " is not closed";
  return ::testing::AssertionSuccess();
}

class CurvesPage : public ::testing::Test {
 protected:
  std::string svg() const { return curves_svg(runs_, names_, make_panels(runs_, options_)); }
  std::string html() const { return curves_html(runs_, names_, make_panels(runs_, options_)); }

  TemporaryFolder folder_;
  std::vector<TrainingLog> runs_{make_run(folder_, "a"), make_run(folder_, "b")};
  std::vector<std::string> names_{"first", "<b> & \"c\""};
  CurveOptions options_;
};

TEST_F(CurvesPage, ThePictureIsWellFormedAndAlone) {
  const std::string picture = svg();
  EXPECT_TRUE(is_well_formed(picture));
  EXPECT_EQ(count(picture, "<svg "), 1u + 4);  // a sheet and its panels
  EXPECT_THAT(picture, HasSubstr("&lt;b&gt; &amp; &quot;c&quot;"));
  EXPECT_THAT(picture, Not(HasSubstr("<b>")));
  EXPECT_THAT(picture, HasSubstr("prefers-color-scheme: dark"));
  EXPECT_EQ(count(picture, "http"), count(picture, "http://www.w3.org/2000/svg"));  // nothing from outside
  EXPECT_THAT(picture, Not(HasSubstr("nan")));
  // Loss and accuracy: four dots of each run.
  EXPECT_EQ(count(picture, "class=\"dot c0\""), 8u);
  EXPECT_EQ(count(picture, "class=\"dot c1\""), 8u);
  EXPECT_EQ(count(picture, "class=\"best c0\""), 2u);
  EXPECT_EQ(count(picture, "class=\"mean c0\""), 2u);
  EXPECT_THAT(picture, HasSubstr("<title>first, best: 0.65 at step 150</title>"));
}

TEST_F(CurvesPage, CurvesStandWhereTheirValuesAre) {
  const auto panels = make_panels(runs_, options_);
  const PlotArea area = common_area(panels, names_);
  const Panel& accuracy = panels[1];
  const std::string drawn = draw_panel(accuracy, names_, area);
  const std::regex dot("class=\"dot c0\" cx=\"([0-9.]+)\" cy=\"([0-9.]+)\"");
  std::smatch first;
  ASSERT_TRUE(std::regex_search(drawn, first, dot));
  const Point& p = accuracy.curves[0].points[0];
  EXPECT_NEAR(std::stod(first[1]), area.left + area.width * accuracy.x.place(p.x), 0.06);
  EXPECT_NEAR(std::stod(first[2]), area.top + area.height * (1 - accuracy.y.place(p.y)), 0.06);
  EXPECT_LT(area.left + area.width, kPanelWidth - 60);  // room for the names
}

TEST_F(CurvesPage, LabelsDoNotOverlap) {
  for (int i = 0; i < 6; ++i) {
    runs_.push_back(make_run(folder_, "more"));
    names_.push_back(fmt::format("run {}", i));
  }
  const auto panels = make_panels(runs_, options_);
  const std::string drawn = draw_panel(panels[1], names_, common_area(panels, names_));
  std::vector<double> heights;
  const std::regex label("class=\"label [^\"]*\" x=\"[0-9.]+\" y=\"([0-9.]+)\"");
  for (std::sregex_iterator it(drawn.begin(), drawn.end(), label), end; it != end; ++it)
    heights.push_back(std::stod((*it)[1]));
  ASSERT_EQ(heights.size(), 8u);
  for (size_t i = 1; i < heights.size(); ++i) EXPECT_GE(heights[i] - heights[i - 1], 14);
  EXPECT_LT(heights.back(), kPanelHeight);
  EXPECT_EQ(colour_class(9), "c1 again");
}

TEST_F(CurvesPage, ThePageHoldsATableTheFiguresAndTheirNumbers) {
  names_[1] = "</script><b>";
  const std::string page = html();
  EXPECT_EQ(count(page, "<figure"), 4u);
  EXPECT_EQ(count(page, "</script>"), 1u);  // a name cannot end it
  EXPECT_THAT(page, HasSubstr("<td>"));
  EXPECT_THAT(page, HasSubstr("Loss 1.133, Perplexity 3.106, Accuracy 0.65 (step 150)"));
  EXPECT_EQ(count(page, "http"), count(page, "http://www.w3.org/2000/svg"));
  EXPECT_THAT(page, HasSubstr("\"across\":\"step\""));
  const std::string figures = page.substr(page.find("<table>"), page.find("<script>") - page.find("<table>"));
  EXPECT_TRUE(is_well_formed(figures.substr(0, figures.rfind("</main>"))));
}

TEST_F(CurvesPage, ARunWithoutValidationAndASingleRecord) {
  runs_ = {make_run(folder_, "one", step_line(10, 1))};
  names_ = {"one"};
  const std::string picture = svg();
  EXPECT_TRUE(is_well_formed(picture));
  EXPECT_THAT(picture, Not(HasSubstr("nan")));
  EXPECT_THAT(picture, HasSubstr("one: 10 steps in 5 s, training loss 1"));
  options_.log_x = options_.log_y = true;
  EXPECT_THAT(html(), Not(HasSubstr("inf")));
}

}  // namespace
}  // namespace heed::inspect
