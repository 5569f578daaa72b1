// What trainings on running text share: what is trained on and what is held out, and the text that tokenizers are
// trained on.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "heed/data/text_source.h"
#include "heed/data/token_stream.h"
#include "heed/tasks/model_start.h"

namespace heed::tasks {

struct TrainingText {
  data::TextSource train;
  std::optional<data::TextSource> valid;
};

// `fraction`: of the training text, its end, if there are no `valid` files; 0: nothing is held out. Files of `valid`
// are read whole, whatever `documents.most` says. Throws UsageError if both are given.
TrainingText training_text(const std::vector<std::filesystem::path>& train,
                           const std::vector<std::filesystem::path>& valid, double fraction,
                           const data::DocumentOptions& documents);

// The text in pieces of some lines each, with their ends.
TextPieces pieces_of(const data::TextSource& text);

// For reports: "1003854 tokens (1003854 bytes in 1 document)".
std::string described(const data::TokenStream& stream);

// What tells a model's tokenizer from any other: a hash of its files.
std::string fingerprint_of(const StartedModel& started);

}  // namespace heed::tasks
