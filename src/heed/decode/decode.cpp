#include "heed/decode/decode.h"

#include <numeric>

#include "heed/base/error.h"
#include "heed/decode/beam_search.h"
#include "heed/decode/device_search.h"
#include "heed/decode/greedy_and_sampling.h"
#include "heed/decode/prompt.h"

namespace heed::decode {

std::vector<std::vector<Hypothesis>> decode_batch(const models::Generator& generator, const Ragged& inputs,
                                                  const Options& options, std::span<const uint64_t> example_indices,
                                                  const Stream& stream) {
  validate(options, generator.vocab_size());
  const auto count = static_cast<size_t>(inputs.rows());
  check<UsageError>(example_indices.empty() || example_indices.size() == count, "{} example indices for {} inputs",
                    example_indices.size(), count);
  if (count == 0) return {};
  const std::vector<Prompt> prompts = make_prompts(generator, inputs, options);
  const auto state = generator.start(inputs);
  std::vector<uint64_t> numbered;
  if (example_indices.empty()) {
    numbered.resize(count);
    std::iota(numbered.begin(), numbered.end(), 0);
    example_indices = numbered;
  }
  if (!state->device().is_host() && searches_on_device(prompts, options, stream))
    return search_on_device(*state, prompts, options, example_indices, stream);
  if (options.beam > 1) return beam_search(*state, prompts, options, stream);
  return greedy_or_sample(*state, prompts, options, example_indices, stream);
}

}  // namespace heed::decode
