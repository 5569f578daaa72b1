// The options that say how source texts reach a sequence-to-sequence model: the task's prefix, and how long they may
// be.
#pragma once

#include <string>

#include "heed/cli/command.h"
#include "heed/tasks/translation.h"

namespace heed::cli {

class SourceOptions {
 public:
  // --prefix and --task; `lengths`: also --max-source-length and --split-sentences. The object must outlive
  // command.parse().
  void add_to(Command& command, bool lengths);

  // What was asked for: the parameters of --task or, without it, of `usual` if the model has them ("" is none). Their
  // prefix is replaced by --prefix. Throws UsageError for a task that the model does not know.
  tasks::TaskParameters task(const tasks::TranslationModel& model, const std::string& usual = "translation") const;
  // The same as limits of the sources.
  tasks::SourceLimits limits(const tasks::TaskParameters& task) const {
    return {task.prefix, max_source_length_, split_sentences_};
  }

 private:
  std::optional<std::string> prefix_;
  std::string task_;
  size_t max_source_length_ = 0;
  bool split_sentences_ = false;
};

// Translates what `next` gives and writes the results, in order: text, or JSON objects with --json. `unit`: what a
// progress line counts.
void stream_texts(Command& command, const tasks::TranslationModel& model, const tasks::TranslateOptions& options,
                  const std::function<std::optional<std::string>()>& next, const std::string& unit);

// The same for the lines of a file ("-": standard input), `window` of them read ahead; who types them waits for each.
void stream_lines(Command& command, const tasks::TranslationModel& model, tasks::TranslateOptions options,
                  const std::string& input, size_t window, const std::string& unit);

}  // namespace heed::cli
