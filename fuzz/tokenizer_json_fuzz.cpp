// libFuzzer target: any bytes are a tokenizer.json or a FormatError, and a tokenizer that was read encodes texts, pairs
// and words, decodes every id and is written back as what reads the same, without a fault. A UsageError or DataError is
// an answer too (a text without tokens, a regular expression that takes too long). Seeds are our own documents of each
// component and the shared goldens, cut down (see tokenizer_json_seeds.cpp).
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "heed/base/error.h"
#include "heed/base/log.h"
#include "heed/text/pipeline_tokenizer.h"

namespace {

using heed::text::PipelineTokenizer;
using heed::text::TokenizedText;

void check_shape(const TokenizedText& out) {
  const size_t size = out.ids.size();
  if (out.types.size() != size || out.characters.size() != size || out.words.size() != size || out.texts.size() != size)
    __builtin_trap();
}

void exercise(const PipelineTokenizer& tokenizer) {
  const std::string texts[] = {"Hello, world!  I'm 123", "\xE4\xBD\xA0\xE5\xA5\xBD a\xCC\x8A  \xFF<s></s>[MASK]",
                               " \t\r\n\xEF\xAC\x81\xF0\x9F\x98\x80\xE2\x96\x81"
                               "aab"};
  for (const std::string& text : texts) {
    try {
      const TokenizedText out = tokenizer.tokenize(text);
      check_shape(out);
      if (tokenizer.encode(text) != out.ids) __builtin_trap();
      tokenizer.decode(out.ids);
      check_shape(tokenizer.tokenize_pair(text, "b", false));
      check_shape(tokenizer.tokenize_words(std::vector<std::string>{text, "", "c"}));
      heed::text::Truncation truncation;
      truncation.max_length = 6;
      truncation.stride = 1;
      for (const TokenizedText& part : tokenizer.tokenize_parts(text, "b c", truncation)) check_shape(part);
    } catch (const heed::DataError&) {
    } catch (const heed::UsageError&) {}
  }
  std::vector<int32_t> all(static_cast<size_t>(std::min(tokenizer.vocab_size(), 2000)));
  std::iota(all.begin(), all.end(), 0);
  try {
    tokenizer.decode(all, false);
  } catch (const heed::DataError&) {}
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  heed::log().set_level(spdlog::level::off);
  try {
    heed::Json document = heed::parse_json({reinterpret_cast<const char*>(data), size}, "fuzz");
    const auto tokenizer = PipelineTokenizer::from_json(std::move(document), heed::Json(), "fuzz");
    exercise(*tokenizer);
    PipelineTokenizer::from_json(tokenizer->to_json(), heed::Json(), "written");
  } catch (const heed::FormatError&) {
  } catch (const heed::DataError&) {}
  return 0;
}
