#include "heed/tasks/noisy_text.h"

#include "heed/autograd/autograd.h"
#include "heed/base/error.h"
#include "heed/data/streams.h"

namespace heed::tasks {
namespace {

constexpr int kSentinels = 100;  // as T5 has

std::string sentinel(int i) { return fmt::format("<extra_id_{}>", i); }

// With the end that a model wants, even where the tokenizer puts nothing around a text.
data::TextFrame frame_with_end(const text::Tokenizer& tokenizer) {
  data::TextFrame frame = data::frame_of(tokenizer);
  check<ConfigError>(tokenizer.eos_id() >= 0, "the tokenizer has no end token");
  if (frame.behind.empty()) frame.behind.push_back(tokenizer.eos_id());
  return frame;
}

std::vector<int32_t> sentinels_of(const text::Tokenizer& tokenizer) {
  std::vector<int32_t> ids;
  for (int i = 0; i < kSentinels; ++i) {
    const int32_t id = tokenizer.id(sentinel(i));
    if (id < 0) break;
    ids.push_back(id);
  }
  check<ConfigError>(!ids.empty(), "the tokenizer has no token {}, which stands for a hidden span", sentinel(0));
  return ids;
}

int32_t mask_of(const text::Tokenizer& tokenizer) {
  const int32_t id = tokenizer.mask_id() >= 0 ? tokenizer.mask_id() : tokenizer.id("<mask>");
  check<ConfigError>(id >= 0, "the tokenizer has no mask token");
  return id;
}

// By id: whether a token's text ends as a sentence does.
std::vector<bool> sentence_ends(const text::Tokenizer& tokenizer) {
  std::vector<bool> ends;
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    const std::string token = tokenizer.token(id);
    bool end = false;
    for (const char* mark : {".", "!", "?", "。", "！", "？", "\n", "Ċ"}) end = end || token.ends_with(mark);
    ends.push_back(end);
  }
  return ends;
}

data::TokenTextOptions encoding(const NoisyTextOptions& o) {
  data::TokenTextOptions options;
  options.cache = o.cache;
  options.tokenizer = o.fingerprint;
  options.begin_token = false;
  options.document_marks = !o.packed;
  return options;
}

data::TextExamples cut(const data::TokenStream& stream, const text::Tokenizer& tokenizer, const NoisyTextOptions& o) {
  return o.packed ? data::TextExamples::packed(stream, o.block, o.seed)
                  : data::TextExamples::by_document(stream, o.block, data::document_mark(tokenizer, encoding(o)));
}

}  // namespace

std::vector<std::string> tokens_for(Denoising kind) {
  if (kind == Denoising::kInfilling) return {"<mask>"};
  std::vector<std::string> tokens;
  tokens.reserve(kSentinels);
  for (int i = 0; i < kSentinels; ++i) tokens.push_back(sentinel(i));
  return tokens;
}

NoisyText::NoisyText(const data::TextSource& text, const text::Tokenizer& tokenizer, const NoisyTextOptions& options)
    : options_(options),
      frame_(frame_with_end(tokenizer)),
      stream_(data::encode_text(text, tokenizer, encoding(options_))),
      examples_(cut(stream_, tokenizer, options_)) {
  if (options_.kind == Denoising::kSpans) {
    spans_ = {options_.density.value_or(0.15), options_.mean_length, sentinels_of(tokenizer)};
  } else {
    infilling_ = {options_.density.value_or(0.3), options_.mean_length, options_.permute, mask_of(tokenizer),
                  sentence_ends(tokenizer)};
  }
}

data::NoisyText NoisyText::corrupt(std::span<const int32_t> ids, Random& random) const {
  return options_.kind == Denoising::kSpans ? data::corrupt_spans(ids, spans_, random)
                                            : data::infill(ids, infilling_, random);
}

void NoisyText::append(uint64_t epoch, uint32_t i, models::Seq2SeqBatch& batch) const {
  Random random(data::stream_seed(options_.seed, data::Stream::kNoise), i, static_cast<uint32_t>(epoch));
  const auto framed = [&](const std::vector<int32_t>& ids) {
    std::vector<int32_t> row = frame_.before;
    row.insert(row.end(), ids.begin(), ids.end());
    row.insert(row.end(), frame_.behind.begin(), frame_.behind.end());
    return row;
  };
  uint32_t number = 0;
  std::vector<int32_t> ids;
  for (const auto& part : examples_.parts(epoch, i)) {
    ids.clear();
    stream_.append_to(ids, part.begin, part.end);
    const data::NoisyText noisy = corrupt(ids, random);
    batch.source.append(framed(noisy.source));
    batch.target.append(framed(noisy.target));
    batch.examples.push_back(2 * i + number++);
  }
}

std::optional<NoisyScore> noisy_score(const models::Seq2SeqModel& model, const NoisyText& text,
                                      const std::function<bool()>& stop) {
  constexpr int64_t kTokens = 4096;  // of the sources computed together
  const NoGrad no_grad;
  NoisyScore score;
  for (uint32_t next = 0; next < text.size();) {
    if (stop && stop()) return std::nullopt;
    models::Seq2SeqBatch batch;
    while (next < text.size() && batch.source.tokens() < kTokens) text.append(0, next++, batch);
    const auto found = model.loss(batch, {0, 1, {}});
    score.loss += found.nll_sum;
    score.tokens += found.tokens;
  }
  score.loss /= static_cast<double>(score.tokens);
  return score;
}

}  // namespace heed::tasks
