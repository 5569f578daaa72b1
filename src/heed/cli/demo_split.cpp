#include "heed/cli/demo_split.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "heed/base/error.h"
#include "heed/base/files.h"

namespace heed::cli {
namespace {

const SentencePair kFirstHeldOut = {"I am a student", "我 是 一个 学生"};

// How often a word must be left in training for a sentence with it to be held out.
constexpr int kOccurrencesLeft = 5;

std::vector<std::string> words_of(const SentencePair& pair) {
  std::vector<std::string> words;
  const std::string text = pair.english + " " + pair.chinese;
  size_t from = 0;
  while (from < text.size()) {
    const size_t to = std::min(text.find(' ', from), text.size());
    words.push_back(text.substr(from, to - from));
    from = to + 1;
  }
  return words;
}

// `count` distinct sentences in random order.
std::vector<SentencePair> draw_distinct(size_t count, Random& random) {
  constexpr size_t kDrawsPerSentence = 100;
  std::vector<SentencePair> pairs = {kFirstHeldOut};
  std::unordered_set<std::string> seen = {kFirstHeldOut.english};
  for (size_t draws = 0; pairs.size() < count; ++draws) {
    check<UsageError>(draws < count * kDrawsPerSentence, "the demo grammar yields {} distinct sentences only, not {}",
                      pairs.size(), count);
    SentencePair pair = draw_sentence(random);
    if (seen.insert(pair.english).second) pairs.push_back(std::move(pair));
  }
  random.shuffle(pairs);
  // The first one must come before the words it needs are used up by others.
  std::iter_swap(pairs.begin(), std::find(pairs.begin(), pairs.end(), kFirstHeldOut));
  return pairs;
}

}  // namespace

DemoCorpus make_demo_corpus(uint64_t seed, const DemoSizes& sizes) {
  check<UsageError>(sizes.train > 0 && sizes.valid >= 0 && sizes.test >= 1, "expected a training and a test set");
  const auto train = static_cast<size_t>(sizes.train), valid = static_cast<size_t>(sizes.valid),
             test = static_cast<size_t>(sizes.test);
  Random random(seed);
  const std::vector<SentencePair> pairs = draw_distinct(train + valid + test, random);
  std::unordered_map<std::string, int> left;
  for (const SentencePair& pair : pairs)
    for (const std::string& word : words_of(pair)) ++left[word];

  DemoCorpus corpus;
  for (const SentencePair& pair : pairs) {
    std::vector<SentencePair>* const held_out = corpus.test.size() < test     ? &corpus.test
                                                : corpus.valid.size() < valid ? &corpus.valid
                                                                              : nullptr;
    const std::vector<std::string> words = words_of(pair);
    const bool is_spare = std::all_of(words.begin(), words.end(), [&](const std::string& word) {
      return left[word] - std::count(words.begin(), words.end(), word) >= kOccurrencesLeft;
    });
    if (held_out && is_spare)
      for (const std::string& word : words) --left[word];
    (held_out && is_spare ? *held_out : corpus.train).push_back(pair);
  }
  const bool first = !corpus.test.empty() && corpus.test[0] == kFirstHeldOut;
  check<UsageError>(first && corpus.test.size() == test && corpus.valid.size() == valid,
                    "{} sentences for training are too few to hold {} out with all their words known", sizes.train,
                    test + valid);
  return corpus;
}

void write_demo_corpus(const DemoCorpus& corpus, const std::filesystem::path& folder) {
  write_folder_atomically(folder, [&](const std::filesystem::path& unfinished) {
    const auto write = [&](const std::vector<SentencePair>& pairs, const std::string& name) {
      std::string english, chinese;
      for (const SentencePair& pair : pairs) english += pair.english + "\n", chinese += pair.chinese + "\n";
      write_file_atomically(unfinished / (name + ".en"), english);
      write_file_atomically(unfinished / (name + ".zh"), chinese);
    };
    write(corpus.train, "train");
    write(corpus.valid, "valid");
    write(corpus.test, "test");
  });
}

}  // namespace heed::cli
