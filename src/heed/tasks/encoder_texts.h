// What the tasks of text encoders share: the model with its tokenizer, texts too long for the model, and batches.
//
// All of it is immutable and may serve many threads. What a text is batched with does not change its result by a bit.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "heed/models/interface.h"
#include "heed/models/load_options.h"
#include "heed/text/tokenizer.h"

namespace heed::tasks {

struct EncoderTexts {
  std::shared_ptr<const models::EncoderModel> model;
  std::shared_ptr<const text::Tokenizer> tokenizer;

  // Reads a Hugging Face folder; `head`: what the model must have, if anything; `options`: how the model is
  // loaded, here and in what is derived from this. Throws what the loaders throw, ConfigError if the model has
  // another head, and FormatError if the tokenizer has ids that the model has not.
  static EncoderTexts load(const std::filesystem::path& folder, std::optional<models::Head> head,
                           const models::LoadOptions& options = models::for_inference());
};

// Takes the last tokens of the longer text away until `most` tokens are left; what the tokenizer added stays. False if
// there was nothing to take away.
bool shorten(text::TokenizedText& tokens, size_t most);

// A part of a long text that fits a model.
struct TextWindow {
  text::TokenizedText tokens;
  std::vector<uint32_t> places;  // of each token in the whole
};

// Cuts the tokens of text number `cut` (0 or 1) into windows of at most `most` tokens that share `overlap` of them;
// all else stands in every window. One window if it all fits. Throws DataError if what stays leaves no room.
std::vector<TextWindow> text_windows(const text::TokenizedText& tokens, int cut, size_t most, size_t overlap);

// The texts where they lie.
std::vector<const text::TokenizedText*> pointers_to(const std::vector<text::TokenizedText>& texts);

// Calls f for groups of texts of similar length, `members` being their places in `texts`. Without gradients.
void for_each_batch(const std::vector<const text::TokenizedText*>& texts, size_t batch_size,
                    const std::function<void(const models::TextBatch& batch, const std::vector<uint32_t>& members)>& f);

// The parts of a text that spans of code points cover. The text must outlive the object.
class TextParts {
 public:
  explicit TextParts(std::string_view text);
  std::string_view operator()(text::CharacterSpan span) const;

 private:
  std::string_view text_;
  std::vector<size_t> begins_;  // of each code point, in bytes, and the end
};

}  // namespace heed::tasks
