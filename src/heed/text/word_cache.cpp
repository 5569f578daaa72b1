#include "heed/text/word_cache.h"

#include <algorithm>
#include <atomic>

namespace heed::text::pipeline {

WordCache& WordCache::of_thread() {
  thread_local WordCache cache;
  return cache;
}

uint32_t WordCache::new_model() {
  static std::atomic<uint32_t> last = 0;
  return ++last;
}

void WordCache::keep(Entry& entry, uint32_t model, std::string_view word, const std::vector<Token>& tokens,
                     size_t first, uint32_t offset) {
  const size_t count = tokens.size() - first;
  if (count > kMaxTokens) return;
  uint32_t at = offset;
  for (size_t i = first; i < tokens.size(); ++i) {
    if (tokens[i].begin != at || tokens[i].end < at || tokens[i].end - offset > word.size()) return;
    at = tokens[i].end;
  }
  entry.model = model;
  entry.length = static_cast<uint8_t>(word.size());
  entry.count = static_cast<uint8_t>(count);
  std::copy(word.begin(), word.end(), entry.word.begin());
  for (size_t i = 0; i < count; ++i) {
    entry.ids[i] = tokens[first + i].id;
    entry.ends[i] = static_cast<uint8_t>(tokens[first + i].end - offset);
  }
}

}  // namespace heed::text::pipeline
