// Options of running text, shared by the tasks that train on it and their evaluations.
#pragma once

#include "heed/cli/command.h"
#include "heed/data/documents.h"
#include "heed/tasks/training_text.h"

namespace heed::cli {

// Where a document begins.
inline void add_documents(Options& o, data::DocumentOptions& documents) {
  using enum data::DocumentsPer;
  o.add_choice<data::DocumentsPer>("document-per", documents.per, {{"file", kFile}, {"line", kLine}},
                                   "What a document is; a line of a .jsonl file always is one");
  o.add("text-key", documents.text_key, "JSON lines: the key of the text");
}

// The text of a training, and what is held out.
struct RunningTextOptions {
  std::vector<std::filesystem::path> train, valid;
  double valid_fraction = 0;
  data::DocumentOptions documents;

  void add_to(Options& o) {
    o.section("Text (plain, gzip or zstd)");
    o.add("train", train, "Text files, or JSON lines (.jsonl); again for more").required();
    o.add("valid", valid, "Held-out ones");
    o.add("valid-fraction", valid_fraction, "Without --valid: hold out this share of --train, its end").range(0, 0.9);
    add_documents(o, documents);
    o.add("max-examples", documents.most, "Train on the first so many documents; 0: all");
  }

  // Hands them to the options of a task.
  template <class TaskOptions>
  void give_to(TaskOptions& task) const {
    task.train = train;
    task.valid = valid;
    task.valid_fraction = valid_fraction;
    task.documents = documents;
  }
};

// The text of an evaluation.
struct EvaluatedTextOptions {
  std::vector<std::filesystem::path> files;
  double fraction = 0;
  data::DocumentOptions documents;

  void add_to(Options& o) {
    o.add("data", files, "Text files (plain, gzip, zstd), or JSON lines (.jsonl); again for more").required();
    o.add("valid-fraction", fraction, "Take only this share of the text, its end; 0: all of it").range(0, 0.9);
    add_documents(o, documents);
  }
  data::TextSource text() const {
    const tasks::TrainingText split = tasks::training_text(files, {}, fraction, documents);
    return split.valid ? *split.valid : split.train;
  }
};

}  // namespace heed::cli
