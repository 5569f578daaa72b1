// Options of labelled texts, shared by training and evaluation.
#pragma once

#include "heed/cli/command.h"
#include "heed/tasks/classification_examples.h"

namespace heed::cli {

inline void add_columns(Options& o, tasks::ClassificationColumns& columns) {
  const char* const usual = "the first of the usual names";
  o.add("text-column", columns.text, "Name, or number from 1, of the text's column").default_text(usual);
  o.add("pair-column", columns.pair, "Of the second text's; none: there is no second text").default_text(usual);
  o.add("label-column", columns.label, "Of the label's").default_text(usual);
  o.add("header", columns.header, "The first line of TSV and CSV names the columns");
}

}  // namespace heed::cli
