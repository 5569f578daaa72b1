// The program as a process (what users and scripts see), and dispatch with commands made for the test.
#include "heed/cli/program.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <new>

#include "cli/run_program.h"
#include "heed/base/files.h"
#include "heed/cli/signals.h"
#include "shared_files.h"

namespace heed::cli {
namespace {

using heed::testing::run_heed;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

int say_name(Command& command) {
  command.parse();
  command.output().line("ran");
  return kOk;
}
int run_out_of_memory(Command&) { throw std::bad_alloc(); }
int fail_after_output(Command& command) {
  command.output().line("result");
  fail<DataError>("a.txt:3: too\nlong");
}
int stop_at_signal(Command& command) {
  install_stop_signals();
  command.parse();
  ::raise(SIGTERM);
  EXPECT_TRUE(stop_requested());
  return kOk;
}

struct Outcome {
  int code;
  std::string output, error;
};

Outcome run(const Strings& arguments, bool on_terminal = false) {
  const std::vector<Entry> table = {{"train translation", "train", &say_name}, {"train tagger", "tag", &say_name},
                                    {"translate", "translate", &say_name},     {"memory", "none", &run_out_of_memory},
                                    {"data", "bad", &fail_after_output},       {"stop", "stop", &stop_at_signal}};
  const heed::testing::TemporaryFolder folder;
  const int out = ::open((folder / "out").c_str(), O_WRONLY | O_CREAT, 0600);
  const int err = ::open((folder / "err").c_str(), O_WRONLY | O_CREAT, 0600);
  Outcome outcome{};
  {
    Output output(out);
    const Environment none = [](const std::string&) { return nullptr; };
    Console console(err, none);
    outcome.code = run_program(table, arguments, {output, console, none, on_terminal});
  }
  ::close(out);
  ::close(err);
  outcome.output = read_file(folder / "out");
  outcome.error = read_file(folder / "err");
  reset_stop_signals();
  return outcome;
}

TEST(Program, FindsCommandsOfSeveralWords) {
  EXPECT_EQ(run({"train", "translation"}).output, "ran\n");
  EXPECT_EQ(run({"translate"}).output, "ran\n");
  EXPECT_THAT(run({"train", "translation", "--help"}).output, StartsWith("heed train translation: train\n"));
  EXPECT_THAT(run({"help", "train", "tagger"}).output, StartsWith("heed train tagger: tag\n"));
}

TEST(Program, UnknownCommandsGetASuggestion) {
  const Outcome outcome = run({"trian"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.error, "heed: error: unknown command 'trian'; did you mean 'train'?\n");
  EXPECT_EQ(run({"train", "translator"}).error,
            "heed: error: unknown command 'train translator'; did you mean 'translation'?\n");
  EXPECT_EQ(run({"--verbose"}).error, "heed: error: unknown command '--verbose'\n");
}

TEST(Program, AGroupListsItsCommands) {
  const Outcome on_terminal = run({"train"}, true);
  EXPECT_EQ(on_terminal.code, 0);
  EXPECT_THAT(on_terminal.output, HasSubstr("heed train tagger"));
  EXPECT_THAT(on_terminal.output, Not(HasSubstr("heed translate")));
  EXPECT_EQ(run({"train", "--help"}).output, on_terminal.output);
  EXPECT_EQ(run({"train"}).code, 2) << "in a script this is a mistake";
  EXPECT_EQ(run({"train"}).error, "heed: error: which command? See heed train --help\n");
}

TEST(Program, ErrorsAreOneLineAndResultsBeforeThemStay) {
  const Outcome outcome = run({"data"});
  EXPECT_EQ(outcome.code, 4);
  EXPECT_EQ(outcome.output, "result\n");
  EXPECT_EQ(outcome.error, "heed: error: a.txt:3: too\\x0along\n");
  EXPECT_EQ(run({"memory"}).code, 5);
  EXPECT_EQ(run({"memory"}).error, "heed: error: out of memory\n");
}

TEST(Program, ASignalShowsInTheExitCode) { EXPECT_EQ(run({"stop"}).code, 143); }

// From here on the built program.

TEST(BuiltProgram, Version) {
  const auto result = run_heed({"--version"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.output, StartsWith("heed "));
  EXPECT_THAT(result.output, HasSubstr("CPU: "));
  EXPECT_EQ(result.error, "");
}

TEST(BuiltProgram, Help) {
  const auto result = run_heed({"--help"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.output, HasSubstr("heed demo-corpus"));
  EXPECT_EQ(result.error, "");
  EXPECT_EQ(run_heed({"demo-corpus", "--help"}).exit_code, 0);
}

// Every command reads back what it prints of its options.
TEST(BuiltProgram, PrintedOptionsAreReadBackByEveryCommand) {
  const heed::testing::TemporaryFolder folder;
  std::istringstream help(run_heed({"--help"}).output);
  int commands = 0;
  for (std::string line; std::getline(help, line);) {
    if (!line.starts_with("  heed ")) continue;
    std::istringstream words(line.substr(7, line.find("  ", 7) - 7));
    std::vector<std::string> command;
    for (std::string word; words >> word;) command.push_back(word);
    const auto print = [&](std::vector<std::string> more) {
      more.insert(more.begin(), command.begin(), command.end());
      more.emplace_back("--print-config");
      const auto result = run_heed(more);
      EXPECT_EQ(result.exit_code, 0) << line << result.error;
      return result.output;
    };
    const std::string printed = print({});
    write_file_atomically(folder / "run.yaml", printed);
    EXPECT_EQ(print({"--config", folder / "run.yaml"}), printed) << line;
    ++commands;
  }
  EXPECT_GT(commands, 40);
}

TEST(BuiltProgram, WithoutArguments) {
  const auto on_pipe = run_heed({});
  EXPECT_EQ(on_pipe.exit_code, 2);
  EXPECT_EQ(on_pipe.output, "");
  EXPECT_THAT(on_pipe.error, StartsWith("heed: error: "));
  const auto on_terminal = run_heed({}, {.on_terminal = true});
  EXPECT_EQ(on_terminal.exit_code, 0);
  EXPECT_THAT(on_terminal.output, HasSubstr("heed demo-corpus"));
}

TEST(BuiltProgram, ColoursOnlyWhereTheyAreWelcome) {
  const std::vector<std::string> arguments = {"demo-corpus", "--help"};
  const auto help = [&](std::map<std::string, std::string> environment, bool on_terminal) {
    return run_heed(arguments, {.environment = std::move(environment), .on_terminal = on_terminal}).output;
  };
  EXPECT_THAT(help({{"TERM", "xterm"}}, true), HasSubstr("\x1b["));
  EXPECT_THAT(help({{"TERM", "xterm"}, {"NO_COLOR", "1"}}, true), Not(HasSubstr("\x1b[")));
  EXPECT_THAT(help({{"TERM", "dumb"}}, true), Not(HasSubstr("\x1b[")));
  EXPECT_THAT(help({{"TERM", "xterm"}}, false), Not(HasSubstr("\x1b[")));
  EXPECT_THAT(
      run_heed({"demo-corpus", "--help", "--no-color"}, {.environment = {{"TERM", "xterm"}}, .on_terminal = true})
          .output,
      Not(HasSubstr("\x1b[")));
  const auto error = run_heed({"demo-corpos"}, {.environment = {{"TERM", "xterm"}}, .on_terminal = true});
  EXPECT_THAT(error.output, HasSubstr("\x1b[1;31mheed: error:\x1b[0m"));
}

TEST(BuiltProgram, AReaderThatHasGoneIsNoError) {
  // A result larger than any pipe's buffer, of which the reader wants the first bytes.
  const heed::testing::TemporaryFolder folder;
  const std::string name(60000, 'x');
  const auto result = run_heed({"demo-corpus", "--print-config", "--output", name}, {.close_output_after = 1});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.error, "");
}

TEST(BuiltProgram, AFullDiskIsAnError) {
  const std::string script = std::string(HEED_PROGRAM) + " --version > /dev/full";
  const auto result = heed::testing::run_process("/bin/sh", {"-c", script});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.error, "heed: error: standard output: cannot write: No space left on device\n");
}

TEST(BuiltProgram, ASignalWithoutAnythingToSaveEndsIt) {
  // Nobody reads the pipe that the program opens, so it waits until the signal.
  const heed::testing::TemporaryFolder folder;
  const std::string fifo = folder / "config.yaml";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const auto result = heed::testing::run_process(
      "/bin/sh",
      {"-c", std::string(HEED_PROGRAM) + " demo-corpus --config " + fifo + " & sleep 0.2; kill -TERM $!; wait $!"});
  EXPECT_EQ(result.exit_code, 143);
}

}  // namespace
}  // namespace heed::cli
