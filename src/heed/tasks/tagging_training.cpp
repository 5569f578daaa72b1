#include "heed/tasks/tagging_training.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "heed/base/random.h"
#include "heed/tasks/held_out.h"

namespace heed::tasks {
namespace {

constexpr size_t kValidationBatch = 64;

// How many parts an example of `tokens` is cut into, if a part has room for so many: with some to spare, so that the
// places can differ from epoch to epoch.
uint32_t parts_of(size_t tokens, size_t room) {
  return tokens <= room ? 1 : static_cast<uint32_t>((4 * tokens + 3 * room - 1) / (3 * room));
}

// How good a place is to cut before token i: between sentences, between words, or within one.
int cut_quality(const text::TokenizedText& t, size_t i) {
  return t.words[i - 1] < 0 ? 2 : t.words[i] != t.words[i - 1] ? 1 : 0;
}

// Where part `number` of `of` begins, counted in the tokens between the special ones: near an even share, moved by
// chance, and from there back to the nearest of the best places. Moves are so small that no part gets empty or longer
// than `room`.
size_t part_begin(const TaggingExample& example, uint32_t number, uint32_t of, size_t room, Random random) {
  const size_t tokens = example.end - example.begin;
  if (number == 0 || number == of) return number == 0 ? 0 : tokens;
  const double share = static_cast<double>(tokens) / of;
  const auto move = static_cast<size_t>(std::max(0.0, std::min(static_cast<double>(room) - share, share - 1)) / 3);
  const auto even = static_cast<size_t>(share * number);
  const size_t place = even + move - random.below(static_cast<uint32_t>(2 * move + 1));
  size_t best = place;
  for (size_t i = place; i + move > place && i > 0; --i)
    if (cut_quality(example.tokens, example.begin + i) > cut_quality(example.tokens, example.begin + best)) best = i;
  return best;
}

// Takes all sentences but the first `kept` away from a text.
data::TaggedText take_last(data::TaggedText& text, size_t kept) {
  data::TaggedText last{text.file, {}, {}, text.one_word_a_line};
  last.sentences.assign(text.sentences.begin() + static_cast<ptrdiff_t>(kept), text.sentences.end());
  for (const size_t begin : text.documents)
    if (begin >= kept) last.documents.push_back(begin - kept);
  text.sentences.resize(kept);
  return last;
}

}  // namespace

TaggingTraining::TaggingTraining(TaggingTrainingOptions options)
    : EncoderTraining(options), options_(std::move(options)) {
  train_text_ = read_tagged(options_.train, options_.max_examples);
  const size_t count = train_text_.sentences.size();
  const size_t kept = kept_for_training(count, "sentences", options_.train, options_.valid, options_.valid_fraction);
  if (!options_.valid.empty()) valid_text_ = read_tagged(options_.valid, 0);
  else if (kept < count) valid_text_ = take_last(train_text_, kept);
  models::NewModel wanted;
  wanted.head = models::Head::kTokenClassification;
  wanted.labels = labels_for(options_.start, "ForTokenClassification", tags_in(train_text_));
  check<DataError>(wanted.labels.size() > 1, "{}: all words have the tag \"{}\"", options_.train.string(),
                   wanted.labels.front());
  start(wanted, [&](const auto& piece) {
    for (const data::TaggedSentence& sentence : train_text_.sentences)
      piece(fmt::format("{}", fmt::join(sentence.words, " ")));
  });
  word_dropout_ = WordDropout(options_.word_dropout, options_.seed, tokenizer());
  train_ = make_tagging_examples(train_text_, tokenizer(), model().labels(), options_.context);
  valid_ = make_tagging_examples(valid_text_, tokenizer(), model().labels(), options_.context);
  make_parts();
}

void TaggingTraining::make_parts() {
  std::vector<uint32_t> lengths;
  uint64_t tokens = 0, cut = 0;
  for (uint32_t i = 0; i < train_.size(); ++i) {
    const size_t around = train_[i].tokens.ids.size() - (train_[i].end - train_[i].begin);
    check<UsageError>(around + 8 <= max_length(), "a row of {} tokens leaves no room for text", max_length());
    const uint32_t count = parts_of(train_[i].end - train_[i].begin, max_length() - around);
    cut += count > 1;
    for (uint32_t k = 0; k < count; ++k) {
      parts_.push_back({i, k, count});
      lengths.push_back(static_cast<uint32_t>(around + (train_[i].end - train_[i].begin) / count));
      tokens += lengths.back();
    }
  }
  set_examples(lengths, fmt::format("{} sentences as {} texts, {} tokens; {} texts are cut; {} tags; {} held out",
                                    train_text_.sentences.size(), train_.size(), tokens, cut, model().labels().size(),
                                    valid_text_.sentences.size()));
}

void TaggingTraining::append(uint64_t epoch, const Part& part, EncoderBatch& batch) const {
  const TaggingExample& example = train_[part.example];
  const size_t around = example.tokens.ids.size() - (example.end - example.begin);
  constexpr uint64_t kCuts = 0x63757473;  // no other use of the seed draws from it
  const auto place = [&](uint32_t number) {
    return example.begin + part_begin(example, number, part.of, max_length() - around,
                                      Random(options_.seed ^ kCuts, epoch << 32 | part.example, number));
  };
  const size_t begin = place(part.number), end = place(part.number + 1);
  const std::vector<int32_t> shown = word_dropout_.ids(example.tokens, begin, end, epoch, part.example, part.number);
  std::vector<int32_t> ids;
  for (size_t i = 0; i < example.tokens.ids.size(); ++i) {
    const bool inside = i >= example.begin && i < example.end;
    if (inside && (i < begin || i >= end)) continue;
    ids.push_back(inside ? shown[i - begin] : example.tokens.ids[i]);
    batch.texts.types.push_back(example.tokens.types[i]);
    batch.wanted.classes.push_back(example.classes[i]);
  }
  batch.texts.ids.append(ids);
}

std::unique_ptr<EncoderBatch> TaggingTraining::make_batch(uint64_t epoch, std::span<const uint32_t> parts) const {
  auto batch = std::make_unique<EncoderBatch>();
  for (const uint32_t i : parts) append(epoch, parts_[i], *batch);
  batch->texts.examples.assign(parts.begin(), parts.end());
  batch->count = std::ranges::count_if(batch->wanted.classes, [](int32_t c) { return c >= 0; });
  batch->place = describe_examples(
      parts, [this](uint32_t i) { return train_text_.where(train_[parts_[i].example].first_sentence); });
  return batch;
}

std::optional<ValidationResult> TaggingTraining::validate(const StopFlag& stop) {
  if (stop()) return std::nullopt;
  const TaggingResult result = evaluate_tagger(Tagger{trained()}, valid_text_, valid_, max_length(), kValidationBatch);
  const metrics::EntityScore& all = result.report.all;
  return ValidationResult{{{"loss", result.loss},
                           {"precision", all.precision()},
                           {"recall", all.recall()},
                           {"f1", all.f1()},
                           {"accuracy", result.report.accuracy()}},
                          all.f1()};
}

Json TaggingTraining::identity() const {
  Json json = EncoderTraining::identity();
  json["train"] = fmt::format("{} sentences with {}", train_text_.sentences.size(), fmt::join(model().labels(), ", "));
  json["context"] = options_.context == TagContext::kDocument ? "document" : "sentence";
  json["word-dropout"] = options_.word_dropout;
  return json;
}

TaggingResult evaluate_tagger(const Tagger& tagger, const data::TaggedText& text,
                              const std::vector<TaggingExample>& examples, size_t most, size_t batch_size) {
  std::vector<const text::TokenizedText*> texts;
  texts.reserve(examples.size());
  for (const TaggingExample& example : examples) texts.push_back(&example.tokens);
  const auto probabilities = tagger.probabilities(texts, most, batch_size);
  const std::vector<std::string>& labels = tagger.model->labels();
  TaggingResult result;
  metrics::TagSequences expected, found;
  int64_t words = 0;
  for (size_t i = 0; i < examples.size(); ++i) {
    auto first = examples[i].firsts.begin();
    for (size_t s = 0; s < examples[i].sentences; ++s) {
      const data::TaggedSentence& sentence = text.sentences[examples[i].first_sentence + s];
      expected.push_back(sentence.tags);
      found.emplace_back();
      for (size_t w = 0; w < sentence.words.size(); ++w, ++first) {
        if (*first < 0) {  // nothing was seen of it
          found.back().emplace_back("O");
          continue;
        }
        const auto token = static_cast<size_t>(*first);
        const std::vector<float>& p = probabilities[i][token];
        found.back().push_back(labels[static_cast<size_t>(std::ranges::max_element(p) - p.begin())]);
        if (examples[i].classes[token] < 0) continue;
        constexpr float kLeast = 1e-30f;
        result.loss -= std::log(std::max(p[static_cast<size_t>(examples[i].classes[token])], kLeast));
        ++words;
      }
    }
  }
  result.loss /= static_cast<double>(std::max<int64_t>(words, 1));
  result.report = metrics::entity_report(expected, found);
  result.tags = std::move(found);
  return result;
}

}  // namespace heed::tasks
