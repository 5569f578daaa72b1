// heed curves as a process: pages, pictures, plots in the terminal and numbers of trainings, and what is none.
#include "cli/program_fixture.h"
#include "inspect/made_runs.h"

namespace heed::cli {
namespace {

using namespace heed::testing;
using ::testing::HasSubstr;
using ::testing::Not;

class RunCurves : public ProgramTest {
 protected:
  RunCurves() {
    inspect::make_run(folder_, "a");
    inspect::make_run(folder_, "b");
  }
};

TEST_F(RunCurves, PageAndPicture) {
  for (const std::string name : {"out.html", "out.svg"}) {
    const auto result = run_well({"curves", path("a"), path("b/metrics.jsonl"), "--output", path(name)});
    EXPECT_EQ(result.output, "");
    EXPECT_THAT(result.error, HasSubstr(name));
    const std::string text = read_file(path(name));
    EXPECT_THAT(text, ::testing::StartsWith(name == "out.svg" ? "<svg" : "<!DOCTYPE html>"));
    for (const char* title : {"Loss", "Accuracy", "Learning rate", "Targets per second"})
      EXPECT_THAT(text, HasSubstr(std::string(">") + title + "</text>"));
  }
}

TEST_F(RunCurves, InTheTerminal) {
  const auto plain = run_well({"curves", path("a"), path("b"), "--terminal", "--show", "loss", "--name", "first"},
                              {.environment = {{"COLUMNS", "60"}}});
  EXPECT_THAT(plain.output, HasSubstr("A  first: 200 steps"));
  EXPECT_THAT(plain.output, HasSubstr("B  b: 200 steps"));
  EXPECT_THAT(plain.output, HasSubstr("Loss\n"));
  EXPECT_THAT(plain.output, Not(HasSubstr("Accuracy\n")));
  EXPECT_THAT(plain.output, Not(HasSubstr("\x1b[")));
  EXPECT_FALSE(std::filesystem::exists("curves.html"));
  const auto coloured =
      run_well({"curves", path("a"), "--terminal"}, {.environment = {{"TERM", "xterm"}}, .on_terminal = true});
  EXPECT_THAT(coloured.output, HasSubstr("\x1b[36m"));
}

TEST_F(RunCurves, Numbers) {
  const Json run = run_json({"curves", path("a")})["runs"][0];
  EXPECT_EQ(run["name"], "a");
  EXPECT_EQ(run["train"]["step"].size(), 20u);
  EXPECT_EQ(run["train"]["targets"][1], 640);
  EXPECT_EQ(run["valid"].size(), 5u);
  EXPECT_EQ(run["valid"][2]["best"], true);
  EXPECT_EQ(run["valid"][0]["best"], false);  // not the best of all
  EXPECT_EQ(run["valid"][4]["weights"], "average");
}

TEST_F(RunCurves, WhatIsNoneIsRefused) {
  const auto refused = [](const Arguments& more, int code, const std::string& message) {
    run_refused(with_more({"curves"}, more), code, message);
  };
  refused({path("none")}, 4, "none: no such training");
  refused({file("text", "no record\n")}, 4, "text:1: not valid JSON");
  refused({path("a"), "--output", path("x.png")}, 2, ".html or .svg is expected");
  refused({path("a"), "--show", "bleu", "--terminal"}, 2, "no run has a \"bleu\"");
  refused({path("a"), "--name", "x", "--name", "y"}, 2, "--name is given 2 times, but there are 1 runs");
  refused({}, 2, "run");
}

}  // namespace
}  // namespace heed::cli
