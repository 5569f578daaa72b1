// Options of labelled images, shared by training and evaluation.
#pragma once

#include "heed/cli/command.h"
#include "heed/data/labelled_images.h"

namespace heed::cli {

inline constexpr const char* kImageForms = "a folder of folders by label, a table of paths and labels, or an IDX file";

inline void add_image_columns(Options& o, data::ImageTableOptions& columns) {
  const char* const usual = "the first of the usual names";
  o.add("path-column", columns.path, "Of a table: name, or number from 1, of the paths' column").default_text(usual);
  o.add("label-column", columns.label, "Of the labels'").default_text(usual);
  o.add("header", columns.header, "The first line of TSV and CSV names the columns");
}

}  // namespace heed::cli
