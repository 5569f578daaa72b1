// Options of documents with summaries, shared by training and evaluation.
#pragma once

#include "heed/cli/command.h"
#include "heed/tasks/summary_examples.h"

namespace heed::cli {

inline void add_columns(Options& o, tasks::SummaryColumns& columns) {
  const char* const usual = "the first of the usual names";
  o.add("document-column", columns.document, "Name, or number from 1, of the document's column").default_text(usual);
  o.add("summary-column", columns.summary, "Of the summary's").default_text(usual);
  o.add("header", columns.header, "The first line of TSV and CSV names the columns");
}

}  // namespace heed::cli
