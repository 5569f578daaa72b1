// What all tokenizers have in common: text to the ids a model takes, and back. Implementations are immutable, hence
// thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace heed::text {

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // The ids of `text`, with the special tokens that the model expects around them.
  virtual std::vector<int32_t> encode(std::string_view text) const = 0;

  // The text of ids that a model gave; special tokens are left out or written by name.
  virtual std::string decode(std::span<const int32_t> ids, bool skip_special = true) const = 0;

  // One more than the highest id.
  virtual int32_t vocab_size() const = 0;

  // The token of an id in [0, vocab_size()). Throws UsageError outside.
  virtual std::string token(int32_t id) const = 0;

  // -1: the tokenizer has no such token.
  virtual int32_t eos_id() const = 0;
  virtual int32_t pad_id() const = 0;
  virtual int32_t unk_id() const = 0;
};

}  // namespace heed::text
