// The perplexity of a causal language model on text, in windows that overlap, as Hugging Face's documentation computes
// it ("Perplexity of fixed-length models").
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "heed/data/token_stream.h"
#include "heed/models/interface.h"

namespace heed::tasks {

struct PerplexityOptions {
  int64_t window = 0;           // tokens that the model sees at once; 0: all its positions
  int64_t stride = 0;           // by how much windows move on; 0: half a window
  int64_t batch_tokens = 4096;  // of the windows computed together
};

struct Perplexity {
  double nll = 0;      // of all tokens that were predicted, in nats
  int64_t tokens = 0;  // that were predicted: all but the first of each sequence
  int64_t windows = 0;

  double loss() const { return nll / static_cast<double>(tokens); }  // per token
  double perplexity() const;
  double bits_per_byte(uint64_t bytes) const;  // of the texts that the sequences come from
};

// Each token of a sequence is predicted once, from the tokens before it in the first window that holds it: with a
// stride below the window from at least window - stride of them. Throws UsageError if window or stride does not fit,
// DataError if there is nothing to predict.
Perplexity perplexity(const models::CausalModel& model, std::span<const std::vector<int32_t>> sequences,
                      const PerplexityOptions& options);

// Of a stream, as training sees it: the tokens of a window go in and the `window` tokens from its second on are
// predicted, so that every token of the stream but the first is predicted once, whatever the stride; stride 0: a
// window, so that windows do not overlap. Nothing if `stop` (which may be empty) said so meanwhile. Throws likewise.
std::optional<Perplexity> stream_perplexity(const models::CausalModel& model, const data::TokenStream& stream,
                                            const PerplexityOptions& options, const std::function<bool()>& stop = {});

// Of rows that do not overlap: `append(i, batch, wanted)` appends row i < rows and what each of its tokens predicts.
// Nothing if `stop` said so meanwhile.
using AppendRow = std::function<void(size_t i, models::TextBatch& batch, std::vector<int32_t>& wanted)>;
std::optional<Perplexity> rows_perplexity(const models::CausalModel& model, size_t rows, const AppendRow& append,
                                          int64_t batch_tokens, const std::function<bool()>& stop = {});

}  // namespace heed::tasks
