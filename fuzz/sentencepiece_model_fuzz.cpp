// libFuzzer target: any bytes are a SentencePiece model or a FormatError, and a model that was read encodes, samples
// and decodes any text without a fault. Seeds are the shared `.model` files and small models cut out of them (see
// sentencepiece_model_seeds.cpp).
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "heed/base/error.h"
#include "heed/text/sentencepiece.h"

namespace {

// Text of several scripts, repeated spaces, malformed UTF-8, names of special pieces; and the model's own first bytes,
// which often spell its pieces.
void exercise(const heed::text::SentencePiece& model, const std::string& own_bytes) {
  const std::string texts[] = {"a group of men", "\xE4\xBD\xA0\xE5\xA5\xBD a\xCC\x8A  \xFF<s></s>", "  aaaa \t1",
                               own_bytes.substr(0, 200)};
  heed::Random random(1);
  for (const std::string& text : texts) {
    model.decode(model.encode(text));
    model.encode_as_pieces(text);
    try {
      model.sample(text, 0.3, -1, random);
      model.sample(text, 0.3, 4, random);
    } catch (const heed::UsageError&) {  // word and character models cannot
    }
  }
  std::vector<int32_t> all(static_cast<size_t>(model.size()));
  std::iota(all.begin(), all.end(), 0);
  model.decode(all);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  try {
    const heed::text::SentencePiece model = heed::text::SentencePiece::from_bytes(bytes, "fuzz");
    if (model.bytes() != bytes) __builtin_trap();
    exercise(model, bytes);
  } catch (const heed::FormatError&) {}
  return 0;
}
