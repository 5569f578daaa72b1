#include "heed/tasks/causal_text.h"

#include <algorithm>

#include "heed/data/text_examples.h"
#include "heed/data/token_text.h"

namespace heed::tasks {
namespace {

data::TokenTextOptions encoding(const CausalTextOptions& o) {
  data::TokenTextOptions options;
  options.end_token = o.end_token;
  options.cache = o.cache;
  options.tokenizer = o.fingerprint;
  options.document_marks = !o.packed;
  return options;
}

}  // namespace

CausalText::CausalText(const data::TextSource& text, const text::Tokenizer& tokenizer, const CausalTextOptions& options)
    : options_(options),
      end_(options.end_token ? data::end_token_of(tokenizer) : -1),
      mark_(data::document_mark(tokenizer, encoding(options))),
      stream_(data::encode_text(text, tokenizer, encoding(options))) {
  if (options_.packed) {
    blocks_.emplace(stream_.size(), options_.block, options_.seed);
    return;
  }
  check<UsageError>(options_.block > 0, "--block is 0");
  const auto examples = data::TextExamples::by_document(stream_, options_.block, mark_);
  for (size_t i = 0; i < examples.size(); ++i) {
    const Part part = examples.parts(0, i).at(0);
    if (row(part).size() > 1) rows_.push_back(part);
    else ++left_out_;
  }
  check<DataError>(!rows_.empty(), "no document has two tokens, one to be predicted from the other");
}

// What goes in, and behind it what its last token predicts, if anything.
std::vector<int32_t> CausalText::row(const Part& part) const {
  std::vector<int32_t> ids;
  const uint64_t length = part.end - part.begin;
  stream_.append_to(ids, part.begin, std::min(part.end + 1, stream_.size()));
  if (options_.packed || (ids.size() > length && ids.back() != mark_)) return ids;
  ids.resize(length);  // the document ends here
  if (end_ >= 0) ids.push_back(end_);
  return ids;
}

std::vector<uint32_t> CausalText::lengths() const {
  if (blocks_) return std::vector<uint32_t>(size(), options_.block);
  std::vector<uint32_t> lengths;
  for (const Part& part : rows_) lengths.push_back(static_cast<uint32_t>(part.end - part.begin));
  return lengths;
}

void CausalText::append(uint64_t epoch, uint32_t i, models::TextBatch& batch, std::vector<int32_t>& wanted) const {
  const auto add = [&](const Part& part, uint32_t number) {
    const std::vector<int32_t> ids = row(part);
    batch.ids.append(std::span(ids).first(ids.size() - 1));
    batch.examples.push_back(2 * i + number);
    wanted.insert(wanted.end(), ids.begin() + 1, ids.end());
  };
  if (!blocks_) return add(rows_.at(i), 0);
  uint32_t number = 0;
  for (const Part& part : blocks_->parts(epoch, i)) add(part, number++);
}

std::string CausalText::describe() const {
  if (blocks_) return fmt::format("{} blocks of {}", size(), options_.block);
  return fmt::format("{} rows of documents{}", size(),
                     left_out_ > 0 ? fmt::format(", {} of one token left out", left_out_) : "");
}

std::optional<Perplexity> CausalText::perplexity(const models::CausalModel& model, const PerplexityOptions& options,
                                                 const std::function<bool()>& stop) const {
  if (blocks_) return stream_perplexity(model, stream_, options, stop);
  check<UsageError>(static_cast<int64_t>(options_.block) <= model.max_length(),
                    "window: {} (1 to the model's {} positions)", options_.block, model.max_length());
  check<UsageError>(options.stride == 0, "--stride is for packed text; documents are scored row by row");
  return rows_perplexity(
      model, size(),
      [this](size_t i, models::TextBatch& batch, std::vector<int32_t>& wanted) {
        append(0, static_cast<uint32_t>(i), batch, wanted);
      },
      options.batch_tokens, stop);
}

}  // namespace heed::tasks
