// The demo corpus: distinct sentences of the demo grammar, parted into training, validation and test. Of held-out
// sentences every word occurs in training (the sentence does not), so that what is tested is putting words together.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "heed/cli/demo_grammar.h"

namespace heed::cli {

struct DemoCorpus {
  std::vector<SentencePair> train, valid, test;  // no English sentence occurs twice
};

struct DemoSizes {
  int train = 12000;
  int valid = 500;
  int test = 1001;  // the first is "I am a student"
};

// The corpus of a seed, the same on every machine. Throws UsageError if the grammar does not yield that many.
DemoCorpus make_demo_corpus(uint64_t seed, const DemoSizes& sizes);

// Writes train.en, train.zh, valid.en, valid.zh, test.en and test.zh, one sentence a line. `folder` is replaced as a
// whole or not at all. Throws IoError.
void write_demo_corpus(const DemoCorpus& corpus, const std::filesystem::path& folder);

}  // namespace heed::cli
