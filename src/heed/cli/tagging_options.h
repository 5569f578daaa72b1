// Options of tagged words, shared by training and evaluation.
#pragma once

#include "heed/cli/command.h"
#include "heed/tasks/tagging_examples.h"

namespace heed::cli {

inline void add_tag_context(Options& o, tasks::TagContext& context) {
  o.add_choice<tasks::TagContext>(
      "context", context, {{"sentence", tasks::TagContext::kSentence}, {"document", tasks::TagContext::kDocument}},
      "What a word is judged beside: its sentence, or the sentences of its document too");
}

}  // namespace heed::cli
