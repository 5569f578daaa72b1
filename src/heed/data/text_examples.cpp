#include "heed/data/text_examples.h"

#include <algorithm>

#include "heed/base/error.h"

namespace heed::data {

TextExamples TextExamples::packed(const TokenStream& stream, uint32_t most, uint64_t seed) {
  check<DataError>(stream.size() > 0, "the text has no tokens");
  TextExamples examples;
  examples.blocks_.emplace(stream.size() + 1, most, seed);  // a block's places are tokens, not what they predict
  examples.most_ = most;
  return examples;
}

TextExamples TextExamples::by_document(const TokenStream& stream, uint32_t most, int32_t end) {
  check<UsageError>(most > 0, "examples of no tokens");
  TextExamples examples;
  examples.most_ = most;
  const auto add = [&](uint64_t begin, uint64_t stop) {
    for (; begin < stop; begin += most) examples.parts_.push_back({begin, std::min(begin + most, stop)});
  };
  constexpr uint64_t kRead = 1 << 16;
  uint64_t begin = 0;  // of the document
  std::vector<int32_t> ids;
  for (uint64_t at = 0; at < stream.size(); at += kRead) {
    ids.clear();
    stream.append_to(ids, at, std::min(at + kRead, stream.size()));
    for (size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] != end) continue;
      add(begin, at + i);
      begin = at + i + 1;
    }
  }
  add(begin, stream.size());
  check<DataError>(!examples.parts_.empty(), "the text has no tokens");
  return examples;
}

std::vector<uint32_t> TextExamples::lengths() const {
  if (blocks_) return std::vector<uint32_t>(size(), most_);
  std::vector<uint32_t> lengths;
  for (const Part& part : parts_) lengths.push_back(static_cast<uint32_t>(part.end - part.begin));
  return lengths;
}

std::vector<TextExamples::Part> TextExamples::parts(uint64_t epoch, size_t i) const {
  if (blocks_) return blocks_->parts(epoch, i);
  return {parts_[i]};
}

}  // namespace heed::data
