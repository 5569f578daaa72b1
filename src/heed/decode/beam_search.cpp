#include "heed/decode/beam_search.h"

#include <algorithm>
#include <utility>

#include "heed/decode/beam.h"
#include "heed/decode/candidates.h"
#include "heed/decode/feed.h"
#include "heed/decode/processors.h"

namespace heed::decode {
namespace {

// One input in the batch.
struct Search {
  int input;
  Beam beam;
  size_t fed;     // how many tokens of Prompt::fed() the model has been given
  int first_row;  // of its rows in the last step, one per open beam
};

class BatchSearch {
 public:
  BatchSearch(const std::vector<Prompt>& prompts, const Options& options, const Stream& stream)
      : prompts_(prompts),
        rules_(options),
        processors_(options),
        stream_(stream),
        finder_(processors_, rules_.candidates) {
    results_.resize(prompts.size());
    for (size_t i = 0; i < prompts.size(); ++i) {
      const int input = static_cast<int>(i);
      const int row = feed_.add(input, prompts[i].fed()[0]);
      searches_.push_back({input, Beam(rules_, prompts[i].length(), prompts[i].max_length), 1, row});
    }
  }

  std::vector<std::vector<Hypothesis>> run(models::DecodingState& state) {
    while (!searches_.empty()) {
      const Tensor logits = feed_.step(state);
      describe_rows();
      finder_.find(logits, row_pointers_);
      for (Search& search : searches_) advance(search);
      std::erase_if(searches_, [](const Search& search) { return search.beam.done(); });
    }
    return std::move(results_);
  }

 private:
  bool in_prompt(const Search& search) const { return search.fed < prompt_of(search).fed().size(); }
  const Prompt& prompt_of(const Search& search) const { return prompts_[static_cast<size_t>(search.input)]; }

  // A Sequence for each row, and a null pointer where the row is still inside its prompt.
  void describe_rows() {
    rows_.clear();
    ids_.clear();
    const bool reads_ids = processors_.reads_ids();
    for (const Search& search : searches_) {
      const Prompt& prompt = prompt_of(search);
      const int64_t length = prompt.length() + search.beam.new_tokens();
      for (int b = 0; b < static_cast<int>(search.beam.open().size()); ++b) {
        rows_.push_back({{}, length, prompt.length(), prompt.max_length});
        if (!reads_ids) continue;
        ids_.insert(ids_.end(), prompt.ids.begin(), prompt.ids.end());
        search.beam.append_ids(b, ids_);
      }
    }
    row_pointers_.clear();
    size_t row = 0, offset = 0;
    for (const Search& search : searches_)
      for (size_t b = 0; b < search.beam.open().size(); ++b, ++row) {
        const auto length = static_cast<size_t>(rows_[row].length);
        if (reads_ids) rows_[row].ids = std::span(ids_).subspan(offset, length);
        offset += length;
        row_pointers_.push_back(in_prompt(search) ? nullptr : &rows_[row]);
      }
  }

  void advance(Search& search) {
    const Prompt& prompt = prompt_of(search);
    if (in_prompt(search)) {
      search.first_row = feed_.add(search.first_row, prompt.fed()[search.fed++]);
      return;
    }
    candidates_.clear();
    for (int b = 0; b < static_cast<int>(search.beam.open().size()); ++b)
      candidates_.push_back(finder_.row(search.first_row + b));
    search.beam.advance(candidates_);
    if (search.beam.done()) return finish(search);
    const int last_first_row = search.first_row;
    search.first_row = -1;
    for (const OpenOutput& open : search.beam.open()) {
      const int row = feed_.add(last_first_row + open.parent, open.token);
      if (search.first_row < 0) search.first_row = row;
    }
  }

  void finish(const Search& search) {
    auto& result = results_[static_cast<size_t>(search.input)];
    result = search.beam.hypotheses(prompt_of(search).prefix());
    if (stream_.on_finished) stream_.on_finished(search.input, result);
  }

  const std::vector<Prompt>& prompts_;
  const BeamRules rules_;
  const Processors processors_;
  const Stream& stream_;
  CandidateFinder finder_;
  Feed feed_;
  std::vector<Search> searches_;
  std::vector<std::vector<Hypothesis>> results_;
  std::vector<Sequence> rows_;
  std::vector<const Sequence*> row_pointers_;
  std::vector<int32_t> ids_;  // of all rows, one behind the other
  std::vector<Candidates> candidates_;
};

}  // namespace

std::vector<std::vector<Hypothesis>> beam_search(models::DecodingState& state, const std::vector<Prompt>& prompts,
                                                 const Options& options, const Stream& stream) {
  return BatchSearch(prompts, options, stream).run(state);
}

}  // namespace heed::decode
