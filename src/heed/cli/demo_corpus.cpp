// heed demo-corpus: writes the corpus of the demo grammar, the first thing a newcomer trains on.
#include "heed/base/json.h"
#include "heed/cli/commands.h"
#include "heed/cli/demo_split.h"

namespace heed::cli {
namespace {

// Only what this command may have written is replaced.
void check_replaceable(const std::filesystem::path& folder) {
  if (!std::filesystem::exists(std::filesystem::symlink_status(folder))) return;
  check<UsageError>(std::filesystem::is_directory(std::filesystem::symlink_status(folder)), "{}: is not a folder",
                    folder.string());
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::filesystem::path name = entry.path().filename();
    const bool ours = (name.extension() == ".en" || name.extension() == ".zh") &&
                      (name.stem() == "train" || name.stem() == "valid" || name.stem() == "test");
    check<UsageError>(ours, "{}: is no demo corpus, for it holds {}; choose another folder", folder.string(),
                      name.string());
  }
}

}  // namespace

int run_demo_corpus(Command& command) {
  std::filesystem::path folder;
  DemoSizes sizes;
  command.example("heed demo-corpus --output corpus/ --seed 7",
                  "English-Chinese pairs to train, validate and test with");
  command.about(
      "Draws distinct sentences from a small English-Chinese grammar and writes train, valid and test files, .en and "
      ".zh. Held-out sentences are made of words that occur in training. An earlier corpus is replaced.");
  Options& options = command.options();
  options.add("output", folder, "Folder to write").required().value_name("DIR");
  options.add("train", sizes.train, "Sentences for training").at_least(1);
  options.add("valid", sizes.valid, "Sentences for validation").at_least(0);
  options.add("test", sizes.test, "Sentences for testing, the first of them \"I am a student\"").at_least(1);
  command.use_seed();
  command.use_json();
  command.parse();

  check_replaceable(folder);
  const DemoCorpus corpus = make_demo_corpus(command.common().seed, sizes);
  write_demo_corpus(corpus, folder);
  const SentencePair& first = corpus.test.front();
  if (command.common().json) {
    const Json report = {{"folder", folder.string()},
                         {"train", corpus.train.size()},
                         {"valid", corpus.valid.size()},
                         {"test", corpus.test.size()},
                         {"seed", command.common().seed}};
    command.output().line(report.dump());
  } else {
    command.output().line(fmt::format("{}: {} pairs for training, {} for validation, {} for testing, such as",
                                      folder.string(), corpus.train.size(), corpus.valid.size(), corpus.test.size()));
    command.output().line(fmt::format("  {}\n  {}", first.english, first.chinese));
  }
  return kOk;
}

}  // namespace heed::cli
