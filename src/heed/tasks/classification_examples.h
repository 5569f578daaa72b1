// Labelled texts, or pairs of texts, from TSV, CSV or JSONL files.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "heed/data/tables.h"
#include "heed/models/interface.h"
#include "heed/tasks/classification_scores.h"
#include "heed/text/tokenizer.h"

namespace heed::tasks {

// Which columns hold what: names, or numbers from 1 where the file has no header. Empty: the first that there is of the
// usual names (text, sentence, sentence1, …; label, …).
struct ClassificationColumns {
  std::string text, pair, label;
  bool header = true;
};

struct ClassificationExamples {
  std::vector<std::string> first, second;        // `second` is empty unless the examples are pairs; a text within it,
                                                 // where the first one stands alone
  std::vector<std::vector<std::string>> labels;  // of each example, as written
  std::vector<std::vector<float>> shares;        // of its labels in an example, whose sum is 1; empty: it has one label
  std::vector<std::string> places;               // "train.tsv:17"
  bool has_lists = false;                        // of labels, in some row at least
  bool has_shares = false;                       // of labels, likewise
  size_t unlabelled = 0;                         // the last so many, whose labels are not known

  size_t size() const { return first.size(); }
  bool pairs() const { return !second.empty(); }
};

// At most `most` examples; 0: all. Throws IoError, DataError naming file and line, also for an empty label.
ClassificationExamples read_classification_examples(const std::filesystem::path& file,
                                                    const ClassificationColumns& columns, uint64_t most);

// The texts alone; a column of labels is not looked at.
ClassificationExamples read_unlabelled_texts(const std::filesystem::path& file, const ClassificationColumns& columns);

// The tokens of each example, at most `most`; `cut`: how many had more. DataError naming the place of a text without
// tokens.
std::vector<text::TokenizedText> tokens_of(const ClassificationExamples& examples, const text::Tokenizer& tokenizer,
                                           size_t most, uint64_t& cut);

// What the labels look like: lists are several labels, labels with their shares a choice, numbers with a decimal point
// a regression, all else a choice.
models::Problem guess_problem(const ClassificationExamples& examples);

// The labels that occur, sorted: numbers by value, else by their bytes.
std::vector<std::string> labels_in(const ClassificationExamples& examples);

// The answers in terms of `labels`, a model's; of what is unlabelled -100, or zeros. DataError naming the place for a
// label that is none of them or a value that is no number.
ClassificationAnswers answers_of(const ClassificationExamples& examples, models::Problem problem,
                                 const std::vector<std::string>& labels);

}  // namespace heed::tasks
