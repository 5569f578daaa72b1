#include "heed/cli/command.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "heed/base/files.h"
#include "heed/base/log.h"
#include "heed/base/threads.h"
#include "shared_files.h"

namespace heed::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A command on files instead of the process's streams.
class CommandTest : public ::testing::Test {
 protected:
  ~CommandTest() override {
    stop_logging();
    set_thread_count(0);
    ::close(out_);
    ::close(err_);
  }

  Command make(const Strings& arguments, bool on_terminal = false) {
    return {"metric bleu", "score translations", arguments, {output_, console_, environment(), on_terminal}};
  }
  Environment environment() {
    return [this](const std::string& name) {
      const auto found = variables_.find(name);
      return found == variables_.end() ? nullptr : found->second.c_str();
    };
  }
  std::string written() {
    output_.flush();
    return read_file(folder_ / "out");
  }
  std::string said() { return read_file(folder_ / "err"); }

  heed::testing::TemporaryFolder folder_;
  std::map<std::string, std::string> variables_;
  int out_ = ::open((folder_ / "out").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  int err_ = ::open((folder_ / "err").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  Output output_{out_};
  Console console_{err_, [](const std::string&) { return nullptr; }};
};

TEST_F(CommandTest, HelpBeginsWithExamples) {
  Command command = make({"--help"});
  std::string reference;
  command.about("About it.");
  command.example("heed metric bleu --reference a < b", "what it does");
  command.options().add("reference", reference, "The reference").required();
  command.use_json();
  EXPECT_THROW(command.parse(), Finished);
  const std::string help = written();
  EXPECT_TRUE(
      help.starts_with("heed metric bleu: score translations\n\nExample:\n"
                       "  heed metric bleu --reference a < b\n      what it does\n"))
      << help;
  EXPECT_LT(help.find("Example:"), help.find("Usage:"));
  EXPECT_LT(help.find("Usage:"), help.find("About it."));
  for (const char* const name : {"--reference TEXT", "--json", "--quiet", "--log-level", "--log-format", "--no-color",
                                 "--config FILE", "--print-config", "--help"})
    EXPECT_THAT(help, HasSubstr(name));
  EXPECT_THAT(help, Not(HasSubstr("--threads"))) << "an option that the command does not use";
}

TEST_F(CommandTest, HelpComesEvenWhereTheRestIsWrong) {
  Command command = make({"--no-such-thing", "-h"});
  try {
    command.parse();
    FAIL() << "not finished";
  } catch (const Finished& finished) {
    EXPECT_EQ(finished.code, 0);
  }
  EXPECT_THAT(written(), HasSubstr("Usage:"));
}

TEST_F(CommandTest, WithoutArgumentsOnATerminalHelpIsShort) {
  Command command = make({}, true);
  std::string reference;
  for (int i = 1; i <= 3; ++i) command.example("example " + std::to_string(i), "meaning");
  command.options().add("reference", reference, "The reference").required();
  EXPECT_THROW(command.parse(), Finished);
  EXPECT_THAT(written(), HasSubstr("example 2"));
  EXPECT_THAT(written(), Not(HasSubstr("example 3")));
  EXPECT_THAT(written(), HasSubstr("heed metric bleu --help"));
}

TEST_F(CommandTest, WithoutArgumentsOnAPipeWhatIsMissingIsNamed) {
  Command command = make({}, false);
  std::string reference;
  command.options().add("reference", reference, "The reference").required();
  try {
    command.parse();
    FAIL() << "no error";
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(), "missing: --reference");
  }
}

TEST_F(CommandTest, TheEnvironmentIsAsGoodAsArguments) {
  variables_["HEED_REFERENCE"] = "r";
  Command command = make({}, true);
  std::string reference;
  command.options().add("reference", reference, "The reference").required();
  command.parse();
  EXPECT_EQ(reference, "r");
}

TEST_F(CommandTest, CommonOptions) {
  Command command = make({"--threads", "1", "--seed", "99", "--json"});
  command.use_threads();
  command.use_seed();
  command.use_json();
  command.parse();
  EXPECT_EQ(command.common().threads, 1);
  EXPECT_EQ(command.common().seed, 99u);
  EXPECT_TRUE(command.common().json);
  EXPECT_EQ(thread_count(), 1);
}

TEST_F(CommandTest, PrintConfigNeedsNoRequiredOptionsAndEnds) {
  Command command = make({"--print-config", "--seed", "5"});
  std::string reference;
  command.options().add("reference", reference, "The reference").required();
  command.use_seed();
  EXPECT_THROW(command.parse(), Finished);
  EXPECT_THAT(written(), HasSubstr("# heed metric bleu\n"));
  EXPECT_THAT(written(), HasSubstr("\nseed: 5\n"));
  EXPECT_THAT(written(), Not(HasSubstr("print-config")));
}

TEST_F(CommandTest, TheLogStartsWithTheLevelAskedFor) {
  Command command = make({"--log-level", "debug", "--log-format", "json"});
  command.parse();
  log().debug("detail");
  EXPECT_THAT(said(), HasSubstr(R"("level":"debug","message":"detail")"));
}

TEST_F(CommandTest, QuietLeavesWarnings) {
  Command command = make({"--quiet"});
  command.parse();
  log().info("chatter");
  log().warn("careful");
  command.progress().line("progress");
  EXPECT_THAT(said(), HasSubstr("careful"));
  EXPECT_THAT(said(), Not(HasSubstr("chatter")));
  EXPECT_THAT(said(), Not(HasSubstr("progress")));
}

TEST_F(CommandTest, QuietDoesNotTurnAnOffLogOn) {
  Command command = make({"--quiet", "--log-level", "off"});
  command.parse();
  log().error("unheard");
  EXPECT_EQ(said(), "");
}

}  // namespace
}  // namespace heed::cli
