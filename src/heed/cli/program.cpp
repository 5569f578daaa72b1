#include "heed/cli/program.h"

#include <unistd.h>

#include <algorithm>

#include "heed/cli/signals.h"
#include "heed/cli/suggest.h"
#include "heed/cli/terminal.h"
#include "heed/cli/version.h"

namespace heed::cli {
namespace {

constexpr int kSignalBase = 128;  // as shells count

// The entries whose names begin with these words, all of them for no words.
std::vector<const Entry*> entries_below(const std::vector<Entry>& table, const std::string& words) {
  std::vector<const Entry*> found;
  for (const Entry& entry : table)
    if (words.empty() || entry.name.starts_with(words + " ")) found.push_back(&entry);
  return found;
}

std::string overview(const std::vector<Entry>& table, const std::string& words) {
  size_t widest = 0;
  const std::vector<const Entry*> entries = entries_below(table, words);
  for (const Entry* entry : entries) widest = std::max(widest, entry->name.size());
  std::string out = words.empty() ? "heed: train and use Transformers\n\nCommands:\n" : "";
  for (const Entry* entry : entries) out += fmt::format("  heed {:<{}}  {}\n", entry->name, widest, entry->summary);
  out += fmt::format("\nheed {} --help shows a command's examples and options.", entries.front()->name);
  return out + (words.empty() ? " heed --version shows the version.\n" : "\n");
}

[[noreturn]] void unknown_command(const std::vector<Entry>& table, const std::string& words, const std::string& word) {
  Strings known;
  for (const Entry* entry : entries_below(table, words)) {
    const std::string rest = entry->name.substr(words.empty() ? 0 : words.size() + 1);
    known.push_back(rest.substr(0, rest.find(' ')));
  }
  const std::string full = words.empty() ? word : words + " " + word;
  fail<UsageError>("unknown command '{}'{}", full, did_you_mean(word, known));
}

bool is_help(const std::string& word) { return word == "--help" || word == "-h" || word == "help"; }

int dispatch(const std::vector<Entry>& table, Strings arguments, const Surroundings& surroundings) {
  // `heed help train translation` is `heed train translation --help`.
  if (arguments.size() > 1 && arguments[0] == "help") {
    arguments.erase(arguments.begin());
    arguments.emplace_back("--help");
  }
  std::string words;
  for (size_t i = 0; i <= arguments.size(); ++i) {
    for (const Entry& entry : table) {
      if (entry.name != words) continue;
      Command command(entry.name, entry.summary, Strings(arguments.begin() + static_cast<long>(i), arguments.end()),
                      surroundings);
      return entry.run(command);
    }
    if (i == arguments.size()) break;
    const std::string& word = arguments[i];
    if (is_help(word)) return surroundings.output.write(overview(table, words)), kOk;
    if (words.empty() && word == "--version") return surroundings.output.write(version_text()), kOk;
    if (words.empty() && word == "--no-color") continue;
    const std::string longer = words.empty() ? word : fmt::format("{} {}", words, word);
    const bool is_name =
        std::any_of(table.begin(), table.end(), [&](const Entry& entry) { return entry.name == longer; });
    if (!is_name && entries_below(table, longer).empty()) unknown_command(table, words, word);
    words = longer;
  }
  if (surroundings.input_is_terminal) return surroundings.output.write(overview(table, words)), kOk;
  fail<UsageError>("which command? See heed {}{}--help", words, words.empty() ? "" : " ");
}

int report(Console& console, const std::exception_ptr& error) {
  const Failure failure = describe_failure(error);
  const std::string prefix = paint("heed: error:", Style::kBoldRed, console.has_colour());
  console.line(fmt::format("{} {}", prefix, printable(failure.message)));
  return failure.code;
}

}  // namespace

int run_program(const std::vector<Entry>& table, const Strings& arguments, const Surroundings& surroundings) {
  int code = kOk;
  try {
    try {
      code = dispatch(table, arguments, surroundings);
    } catch (const Finished& finished) {
      code = finished.code;
    }
    surroundings.output.flush();
  } catch (const OutputClosed&) {
    // The reader has what it wanted (`heed … | head`): no error.
  } catch (...) {
    code = report(surroundings.console, std::current_exception());
    try {
      surroundings.output.flush();  // results before the error are results
    } catch (...) {                 // NOLINT(bugprone-empty-catch): the first error is the one to tell
    }
  }
  stop_logging();
  return code == kOk && stop_signal() != 0 ? kSignalBase + stop_signal() : code;
}

}  // namespace heed::cli
