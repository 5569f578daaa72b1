#include "heed/tasks/encoder_texts.h"

#include <algorithm>
#include <array>
#include <span>

#include "heed/base/utf8.h"
#include "heed/data/length_groups.h"
#include "heed/io/model_folder.h"
#include "heed/models/registry.h"

namespace heed::tasks {
namespace {

const char* name_of(models::Head head) {
  switch (head) {
    case models::Head::kNone: return "no head";
    case models::Head::kMaskedLM: return "a head for masked language modelling";
    case models::Head::kSequenceClassification: return "a head for sequence classification";
    case models::Head::kTokenClassification: return "a head for token classification";
    case models::Head::kQuestionAnswering: return "a head for question answering";
  }
  return "";
}

// Calls f on every vector of `t`.
template <class F>
void for_each_part(text::TokenizedText& t, const F& f) {
  f(t.ids);
  f(t.types);
  f(t.characters);
  f(t.words);
  f(t.texts);
}

void append_token(const text::TokenizedText& from, size_t i, TextWindow& to) {
  to.tokens.ids.push_back(from.ids[i]);
  to.tokens.types.push_back(from.types[i]);
  to.tokens.characters.push_back(from.characters[i]);
  to.tokens.words.push_back(from.words[i]);
  to.tokens.texts.push_back(from.texts[i]);
  to.places.push_back(static_cast<uint32_t>(i));
}

}  // namespace

EncoderTexts EncoderTexts::load(const std::filesystem::path& path, std::optional<models::Head> head,
                                const models::LoadOptions& options) {
  const io::ModelFolder folder = io::ModelFolder::open(path);
  std::shared_ptr<const models::EncoderModel> model = models::load_as<models::EncoderModel>(folder, options);
  check<ConfigError>(!head || model->head() == *head, "{}: the model has {}, where {} is wanted", path.string(),
                     name_of(model->head()), name_of(head.value_or(models::Head::kNone)));
  auto tokenizer = text::load_tokenizer(folder.path());
  check<FormatError>(tokenizer->vocab_size() <= model->vocab_size(),
                     "{}: the tokenizer has {} tokens, the model only {}", path.string(), tokenizer->vocab_size(),
                     model->vocab_size());
  return {std::move(model), std::move(tokenizer)};
}

bool shorten(text::TokenizedText& tokens, size_t most) {
  if (tokens.ids.size() <= most) return false;
  std::array<size_t, 2> left{};
  for (const int8_t text : tokens.texts)
    if (text >= 0) ++left[static_cast<uint8_t>(text)];
  for (size_t excess = tokens.ids.size() - most; excess > 0; --excess) {
    size_t& longer = left[0] >= left[1] ? left[0] : left[1];
    check<DataError>(longer > 0, "{} tokens around a text, the model takes {}",
                     std::ranges::count_if(tokens.texts, [](int8_t text) { return text < 0; }), most);
    --longer;
  }
  std::array<size_t, 2> seen{};
  std::vector<bool> keep;
  for (const int8_t text : tokens.texts)
    keep.push_back(text < 0 || seen[static_cast<uint8_t>(text)]++ < left[static_cast<uint8_t>(text)]);
  for_each_part(tokens, [&](auto& part) {
    size_t to = 0;
    for (size_t i = 0; i < keep.size(); ++i)
      if (keep[i]) part[to++] = part[i];
    part.resize(to);
  });
  return true;
}

std::vector<TextWindow> text_windows(const text::TokenizedText& tokens, int cut, size_t most, size_t overlap) {
  const auto cut_size = static_cast<size_t>(std::ranges::count(tokens.texts, static_cast<int8_t>(cut)));
  const size_t kept = tokens.ids.size() - cut_size;
  const bool fits = tokens.ids.size() <= most;
  check<DataError>(fits || kept < most, "{} tokens stand beside the text that is cut; the model takes {} in all", kept,
                   most);
  const size_t room = fits ? cut_size : most - kept;
  check<DataError>(fits || overlap < room, "windows of {} tokens cannot share {}", room, overlap);
  std::vector<size_t> of_cut, beside;
  for (size_t i = 0; i < tokens.ids.size(); ++i) (tokens.texts[i] == cut ? of_cut : beside).push_back(i);
  std::vector<TextWindow> windows;
  for (size_t begin = 0;; begin += room - overlap) {
    TextWindow& window = windows.emplace_back();
    const std::span<const size_t> inside = std::span(of_cut).subspan(begin, std::min(room, cut_size - begin));
    std::vector<size_t> places(inside.size() + beside.size());
    std::ranges::merge(inside, beside, places.begin());
    for (const size_t i : places) append_token(tokens, i, window);
    if (begin + room >= cut_size) return windows;
  }
}

std::vector<const text::TokenizedText*> pointers_to(const std::vector<text::TokenizedText>& texts) {
  std::vector<const text::TokenizedText*> pointers(texts.size());
  std::ranges::transform(texts, pointers.begin(), [](const text::TokenizedText& text) { return &text; });
  return pointers;
}

void for_each_batch(
    const std::vector<const text::TokenizedText*>& texts, size_t batch_size,
    const std::function<void(const models::TextBatch& batch, const std::vector<uint32_t>& members)>& f) {
  const NoGrad no_grad;
  std::vector<uint32_t> lengths;
  lengths.reserve(texts.size());
  for (const text::TokenizedText* t : texts) lengths.push_back(static_cast<uint32_t>(t->ids.size()));
  for (const std::vector<uint32_t>& members : data::length_groups(lengths, batch_size)) {
    models::TextBatch batch;
    for (const uint32_t i : members) {
      batch.ids.append(texts[i]->ids);
      batch.types.insert(batch.types.end(), texts[i]->types.begin(), texts[i]->types.end());
    }
    f(batch, members);
  }
}

TextParts::TextParts(std::string_view text) : text_(text) {
  for (size_t at = 0; at < text.size(); at += decode_utf8(text.substr(at)).length) begins_.push_back(at);
  begins_.push_back(text.size());
}

std::string_view TextParts::operator()(text::CharacterSpan span) const {
  const size_t last = begins_.size() - 1, begin = std::min<size_t>(span.begin, last);
  const size_t end = std::min<size_t>(span.end, last);
  return begin < end ? text_.substr(begins_[begin], begins_[end] - begins_[begin]) : std::string_view();
}

}  // namespace heed::tasks
