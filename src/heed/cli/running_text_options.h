// Options of running text, shared by the tasks that train on it.
#pragma once

#include "heed/cli/command.h"
#include "heed/data/documents.h"

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
};

}  // namespace heed::cli
