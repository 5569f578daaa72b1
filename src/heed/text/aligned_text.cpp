#include "heed/text/aligned_text.h"

namespace heed::text::pipeline {

void AlignedText::assign(std::string_view original, uint32_t begin, bool track) {
  text = original;
  tracked = track;
  origin_begin = begin;
  origins.clear();
  if (!track) return;
  origins.reserve(original.size());
  for (size_t at = 0; at < original.size();) {
    const size_t length = utf8_length(original[at]);
    const auto from = static_cast<uint32_t>(begin + at);
    origins.insert(origins.end(), length, ByteSpan{from, static_cast<uint32_t>(from + length)});
    at += length;
  }
}

}  // namespace heed::text::pipeline
