// What tests of whole commands share: runs of heed that must end well or be refused, and a folder for their files.
#pragma once

#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include <functional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "cli/run_program.h"
#include "heed/base/files.h"
#include "heed/base/json.h"
#include "shared_files.h"

namespace heed::testing {

using Arguments = std::vector<std::string>;

inline Arguments with_more(Arguments arguments, const Arguments& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

// A run that must end well.
inline ProgramResult run_well(const Arguments& arguments, const ProgramInput& input = {}) {
  ProgramResult result = run_heed(arguments, input);
  EXPECT_EQ(result.exit_code, 0) << fmt::format("heed {}\n{}", fmt::join(arguments, " "), result.error);
  return result;
}

// A run that must end with this code and with a message that holds `message`.
inline ProgramResult run_refused(const Arguments& arguments, int code, const std::string& message,
                                 const ProgramInput& input = {}) {
  ProgramResult result = run_heed(arguments, input);
  const std::string line = fmt::format("heed {}", fmt::join(arguments, " "));
  EXPECT_EQ(result.exit_code, code) << line << '\n' << result.error;
  EXPECT_THAT(result.error, ::testing::HasSubstr(message)) << line;
  return result;
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

inline std::vector<Json> json_lines(const std::string& text) {
  std::vector<Json> values;
  for (const std::string& line : lines_of(text)) values.push_back(parse_json(line, "output"));
  return values;
}

// What a run with --json, which must end well, writes: one value, or one a line.
inline Json run_json(const Arguments& arguments, const ProgramInput& input = {}) {
  return parse_json(run_well(with_more(arguments, {"--json"}), input).output, "output");
}
inline std::vector<Json> run_json_lines(const Arguments& arguments, const ProgramInput& input = {}) {
  return json_lines(run_well(with_more(arguments, {"--json"}), input).output);
}

class ProgramTest : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return folder_ / name; }
  // Writes a file and says where it is.
  std::string file(const std::string& name, std::string_view text) const {
    write_file_atomically(folder_ / name, text);
    return path(name);
  }

  // A training that ends at step `stop` and goes on is at step `steps` what the unbroken one is, bit for bit.
  // `training`: its arguments, but for the steps, with this --output.
  void expect_goes_on_bit_for_bit(const std::function<Arguments(const std::string& output)>& training, int stop,
                                  int steps) const {
    const auto run = [&](const std::string& output, int most, const Arguments& more) {
      run_well(with_more(with_more(training(output), {"--max-steps", std::to_string(most)}), more));
    };
    run("parts", stop, {});
    run("parts", steps, {"--resume"});
    run("unbroken", steps, {});
    const std::string weights = fmt::format("/checkpoints/step-{:06}/model.safetensors", steps);
    EXPECT_TRUE(read_file(path("parts" + weights)) == read_file(path("unbroken" + weights)));
  }

  TemporaryFolder folder_;
};

}  // namespace heed::testing
