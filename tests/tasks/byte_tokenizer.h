// A tokenizer for tests: one id per byte, as byte-level tokenizers have at worst. 0 is the end token.
#pragma once

#include "heed/base/error.h"
#include "heed/base/utf8.h"
#include "heed/text/tokenizer.h"

namespace heed::testing {

class ByteTokenizer : public text::Tokenizer {
 public:
  text::TokenizedText tokenize(std::string_view text, bool) const override {
    text::TokenizedText result;
    for (const char c : text) result.ids.push_back(static_cast<unsigned char>(c));
    return result;
  }
  text::TokenizedText tokenize_pair(std::string_view, std::string_view, bool) const override {
    fail<UsageError>("no pairs of bytes");
  }
  text::TokenizedText tokenize_words(std::span<const std::string>, bool) const override {
    fail<UsageError>("no words of bytes");
  }
  std::string decode(std::span<const int32_t> ids, bool) const override {
    std::string bytes;
    for (const int32_t id : ids)
      if (id != 0) bytes.push_back(static_cast<char>(id));
    return to_valid_utf8(bytes);
  }
  int32_t vocab_size() const override { return 256; }
  std::string token(int32_t id) const override { return std::string(1, static_cast<char>(id)); }
  int32_t id(std::string_view token) const override {
    return token.size() == 1 ? static_cast<unsigned char>(token[0]) : -1;
  }
  int32_t eos_id() const override { return 0; }
  int32_t pad_id() const override { return -1; }
  int32_t unk_id() const override { return -1; }
};

}  // namespace heed::testing
