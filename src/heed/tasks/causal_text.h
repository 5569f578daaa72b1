// Running text as what a causal language model learns from and is measured on: rows of tokens, each predicted from
// those before it in its row.
//
// Packed, all documents are one stream, which each epoch cuts into blocks anew (data/token_blocks.h), so that every row
// is full. By document, a row holds nothing of another document: one that is longer than a block makes several rows,
// and only the first token of a document is not predicted. A pure function of its arguments; thread-safe.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "heed/data/text_source.h"
#include "heed/data/token_blocks.h"
#include "heed/data/token_stream.h"
#include "heed/models/interface.h"
#include "heed/tasks/perplexity.h"
#include "heed/text/tokenizer.h"

namespace heed::tasks {

struct CausalTextOptions {
  bool packed = true;
  bool end_token = true;          // packed: between documents; else behind each, as what its last token predicts
  uint32_t block = 0;             // tokens that go into a row, at most
  std::filesystem::path cache{};  // folder for the tokens; empty: memory
  std::string fingerprint{};      // of the tokenizer, for the cache alone
  uint64_t seed = 1;              // of cutting
};

class CausalText {
 public:
  // Throws what encode_text throws, and DataError for a text in which nothing is predicted.
  CausalText(const data::TextSource& text, const text::Tokenizer& tokenizer, const CausalTextOptions& options);

  size_t size() const { return blocks_ ? static_cast<size_t>(blocks_->count()) : rows_.size(); }
  // Tokens that go into each row, at most.
  std::vector<uint32_t> lengths() const;
  // Appends row i < size(), and what each of its tokens predicts.
  void append(uint64_t epoch, uint32_t i, models::TextBatch& batch, std::vector<int32_t>& wanted) const;

  const data::TokenStream& stream() const { return stream_; }
  // For reports: "412 blocks of 256", "80 rows of documents, 2 of one token left out".
  std::string describe() const;

  // How well a model predicts it, window by window of the stream (see stream_perplexity; `stride` 0: without overlap)
  // or row by row. Nothing if `stop` said so meanwhile. Throws UsageError for a stride by document.
  std::optional<Perplexity> perplexity(const models::CausalModel& model, const PerplexityOptions& options,
                                       const std::function<bool()>& stop = {}) const;

 private:
  using Part = data::TokenBlocks::Part;  // tokens [begin, end) go in

  std::vector<int32_t> row(const Part& part) const;

  const CausalTextOptions options_;
  int32_t end_, mark_;  // the end token (-1: none) and, in the stream, what stands between documents
  data::TokenStream stream_;
  std::optional<data::TokenBlocks> blocks_;  // packed
  std::vector<Part> rows_;                   // by document
  size_t left_out_ = 0;
};

}  // namespace heed::tasks
