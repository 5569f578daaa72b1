#include "heed/tasks/tagging.h"

#include <algorithm>

#include "heed/metrics/entities.h"

namespace heed::tasks {
namespace {

struct Piece {
  size_t text;
  TextWindow window;
};

// How much text a token has on its poorer side, within its window.
size_t margin(size_t at, size_t size) { return std::min(at, size - 1 - at); }

size_t best(const std::vector<float>& p) { return static_cast<size_t>(std::ranges::max_element(p) - p.begin()); }

// The probabilities of a word from those of its tokens [begin, end).
std::vector<float> of_word(const TagProbabilities& p, const std::vector<size_t>& tokens, Aggregation aggregation) {
  if (aggregation == Aggregation::kAverage) {
    std::vector<float> mean(p[tokens.front()].size());
    for (const size_t t : tokens)
      for (size_t c = 0; c < mean.size(); ++c) mean[c] += p[t][c] / static_cast<float>(tokens.size());
    return mean;
  }
  size_t chosen = tokens.front();
  if (aggregation == Aggregation::kMax)
    for (const size_t t : tokens)
      if (*std::ranges::max_element(p[t]) > *std::ranges::max_element(p[chosen])) chosen = t;
  return p[chosen];
}

std::vector<TaggedEntity> join(const std::vector<TaggedWord>& words) {
  std::vector<std::string> tags;
  tags.reserve(words.size());
  for (const TaggedWord& word : words) tags.push_back(word.tag);
  std::vector<TaggedEntity> entities;
  for (const metrics::Entity& found : metrics::find_entities(tags)) {
    const auto begin = static_cast<uint32_t>(found.begin), end = static_cast<uint32_t>(found.end);
    float sum = 0;
    for (uint32_t i = begin; i < end; ++i) sum += words[i].score;
    entities.push_back({found.type,
                        sum / static_cast<float>(end - begin),
                        {words[begin].characters.begin, words[end - 1].characters.end},
                        begin,
                        end - 1});
  }
  return entities;
}

TaggedText read_tags(const text::TokenizedText& text, const TagProbabilities& p, const std::vector<std::string>& labels,
                     Aggregation aggregation) {
  TaggedText result;
  std::vector<size_t> word;
  const auto finish = [&] {
    if (word.empty()) return;
    const std::vector<float> q = of_word(p, word, aggregation);
    const size_t label = best(q);
    result.words.push_back(
        {labels[label], q[label], {text.characters[word.front()].begin, text.characters[word.back()].end}});
    word.clear();
  };
  for (size_t i = 0; i < text.ids.size(); ++i) {
    if (text.texts[i] < 0 || p[i].empty()) continue;
    if (!word.empty() && (aggregation == Aggregation::kToken || text.words[i] != text.words[word.back()])) finish();
    word.push_back(i);
  }
  finish();
  result.entities = join(result.words);
  return result;
}

}  // namespace

Tagger Tagger::load(const std::filesystem::path& folder, const models::LoadOptions& options) {
  return {EncoderTexts::load(folder, models::Head::kTokenClassification, options)};
}

std::vector<TagProbabilities> Tagger::probabilities(const std::vector<const text::TokenizedText*>& texts, size_t most,
                                                    size_t batch_size) const {
  std::vector<Piece> pieces;
  std::vector<TagProbabilities> found(texts.size());
  std::vector<std::vector<size_t>> margins(texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    found[i].resize(texts[i]->ids.size());
    margins[i].resize(texts[i]->ids.size());
    for (TextWindow& window : text_windows(*texts[i], 0, most, most / 2 - 1)) pieces.push_back({i, std::move(window)});
  }
  std::vector<const text::TokenizedText*> pointers;
  pointers.reserve(pieces.size());
  for (const Piece& piece : pieces) pointers.push_back(&piece.window.tokens);
  for_each_batch(pointers, batch_size, [&](const models::TextBatch& batch, const std::vector<uint32_t>& members) {
    const Tensor p = ops::softmax(model->logits(batch, {}));  // [tokens, labels]
    for (size_t row = 0; row < members.size(); ++row) {
      const Piece& piece = pieces[members[row]];
      const size_t size = piece.window.places.size();
      for (size_t t = 0; t < size; ++t) {
        const size_t place = piece.window.places[t], sides = margin(t, size);
        if (!found[piece.text][place].empty() && sides <= margins[piece.text][place]) continue;
        margins[piece.text][place] = sides;
        found[piece.text][place] = p.slice_rows(batch.ids.offsets[row] + static_cast<int64_t>(t), 1).to_vector<float>();
      }
    }
  });
  return found;
}

std::vector<TaggedText> Tagger::tag(const std::vector<text::TokenizedText>& texts, Aggregation aggregation,
                                    size_t batch_size) const {
  const auto found = probabilities(pointers_to(texts), static_cast<size_t>(model->max_length()), batch_size);
  std::vector<TaggedText> result;
  for (size_t i = 0; i < texts.size(); ++i)
    result.push_back(read_tags(texts[i], found[i], model->labels(), aggregation));
  return result;
}

}  // namespace heed::tasks
