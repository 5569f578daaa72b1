#include "heed/tasks/masked_text.h"

#include <algorithm>

#include "heed/autograd/autograd.h"
#include "heed/data/streams.h"
#include "heed/tensor/backends.h"

namespace heed::tasks {
namespace {

data::TokenTextOptions encoding(const MaskedTextOptions& o) {
  data::TokenTextOptions options;
  options.cache = o.cache;
  options.tokenizer = o.fingerprint;
  options.begin_token = false;
  options.word_marks = o.whole_words;
  options.document_marks = !o.packed;
  return options;
}

data::TextExamples cut(const data::TokenStream& stream, const text::Tokenizer& tokenizer, size_t frame,
                       const MaskedTextOptions& o) {
  check<UsageError>(o.max_length > frame, "--max-length is {}; the tokenizer puts {} tokens around a text",
                    o.max_length, frame);
  const auto most = static_cast<uint32_t>(o.max_length - frame);
  return o.packed ? data::TextExamples::packed(stream, most, o.seed)
                  : data::TextExamples::by_document(stream, most, data::document_mark(tokenizer, encoding(o)));
}

}  // namespace

MaskedText::MaskedText(const data::TextSource& text, const text::Tokenizer& tokenizer, const MaskedTextOptions& options)
    : options_(options),
      frame_(data::frame_of(tokenizer)),
      masking_(data::masking_for(tokenizer, options.probability)),
      stream_(data::encode_text(text, tokenizer, encoding(options_))),
      examples_(cut(stream_, tokenizer, frame_.size(), options_)) {}

std::vector<uint32_t> MaskedText::lengths() const {
  std::vector<uint32_t> lengths = examples_.lengths();
  for (uint32_t& length : lengths) length += static_cast<uint32_t>(frame_.size());
  return lengths;
}

void MaskedText::append(uint64_t epoch, uint32_t i, models::TextBatch& batch, std::vector<int32_t>& targets) const {
  Random random(data::stream_seed(options_.seed, data::Stream::kNoise), i, static_cast<uint32_t>(epoch));
  uint32_t number = 0;
  std::vector<int32_t> row;
  for (const auto& part : examples_.parts(epoch, i)) {
    row = frame_.before;
    stream_.append_to(row, part.begin, part.end);
    std::vector<bool> begins;
    if (options_.whole_words) {
      begins.assign(frame_.before.size(), true);
      for (size_t t = frame_.before.size(); t < row.size(); ++t) {
        begins.push_back(row[t] % 2 == 1);
        row[t] /= 2;
      }
    }
    const std::vector<int32_t> wanted = data::mask_tokens(row, begins, masking_, random);
    row.insert(row.end(), frame_.behind.begin(), frame_.behind.end());
    batch.ids.append(row);
    batch.examples.push_back(2 * i + number++);
    targets.insert(targets.end(), wanted.begin(), wanted.end());
    targets.insert(targets.end(), frame_.behind.size(), -100);
  }
}

std::optional<MaskedScore> masked_score(const models::EncoderModel& model, const MaskedText& text,
                                        const std::function<bool()>& stop) {
  constexpr int64_t kTokens = 1024;  // whose logits are held at once
  const NoGrad no_grad;
  MaskedScore score;
  double right = 0;
  for (uint32_t next = 0; next < text.size();) {
    if (stop && stop()) return std::nullopt;
    models::TextBatch batch;
    std::vector<int32_t> targets;
    while (next < text.size() && batch.ids.tokens() < kTokens) text.append(0, next++, batch, targets);
    const Tensor logits = model.logits(batch, {});  // [tokens, vocab]
    const auto found = ops::cross_entropy(logits, Tensor::from(targets, {batch.ids.tokens()}), 0, 1);
    score.loss += found.loss_sum;
    score.tokens += found.targets;
    const Tensor value = Tensor::empty({1, 1}, DType::kF32, logits.device());
    const Tensor best = Tensor::empty({1, 1}, DType::kI32, logits.device());
    for (size_t t = 0; t < targets.size(); ++t) {
      if (targets[t] < 0) continue;
      backend(logits.device())
          .log_softmax_top_k(logits.slice_rows(static_cast<int64_t>(t), 1).view(), 1, value.view(), best.view());
      right += best.to_vector<int32_t>()[0] == targets[t];
    }
  }
  check<DataError>(score.tokens > 0, "the text has no token that could be masked");
  score.loss /= static_cast<double>(score.tokens);
  score.accuracy = right / static_cast<double>(score.tokens);
  return score;
}

}  // namespace heed::tasks
