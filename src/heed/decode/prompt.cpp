#include "heed/decode/prompt.h"

#include <algorithm>
#include <limits>

#include "heed/base/error.h"

namespace heed::decode {
namespace {

// The length that the sequence may reach. A decoder of P positions can be fed P tokens, and the last token of a
// sequence is never fed.
int64_t limit_of(const Prompt& prompt, const Options& options, int positions) {
  int64_t limit = int64_t{positions} + 1;
  if (options.max_new_tokens > 0) limit = std::min(limit, prompt.length() + options.max_new_tokens);
  else if (options.max_length > 0) limit = std::min<int64_t>(limit, options.max_length);
  return limit;
}

}  // namespace

std::vector<Prompt> make_prompts(const models::Generator& generator, const Ragged& inputs, const Options& options) {
  const int positions = generator.max_length(), prefixes = options.target_prefix.rows();
  check<UsageError>(prefixes <= 1 || prefixes == inputs.rows(), "target_prefix: {} rows for {} inputs", prefixes,
                    inputs.rows());
  check<UsageError>(positions < std::numeric_limits<int>::max() || options.max_new_tokens > 0 || options.max_length > 0,
                    "max_new_tokens: needed for a decoder without a greatest length");
  const std::vector<int32_t> first = generator.first_tokens(inputs);
  std::vector<Prompt> prompts(static_cast<size_t>(inputs.rows()));
  for (int i = 0; i < inputs.rows(); ++i) {
    Prompt& prompt = prompts[static_cast<size_t>(i)];
    if (options.continues_input) {
      prompt.ids.assign(inputs.row(i).begin(), inputs.row(i).end());
      check<UsageError>(!prompt.ids.empty(), "input {}: an empty prompt cannot be continued", i);
    } else {
      prompt.ids.push_back(options.decoder_start >= 0 ? options.decoder_start : first[static_cast<size_t>(i)]);
    }
    if (prefixes > 0) {
      const auto prefix = options.target_prefix.row(prefixes == 1 ? 0 : i);
      prompt.ids.insert(prompt.ids.end(), prefix.begin(), prefix.end());
      prompt.prefix_length = static_cast<int64_t>(prefix.size());
    }
    prompt.max_length = limit_of(prompt, options, positions);
    check<UsageError>(prompt.length() < prompt.max_length,
                      "max_length: {} leaves no room behind input {}, which with its prefix has {} tokens",
                      prompt.max_length, i, prompt.length());
  }
  return prompts;
}

}  // namespace heed::decode
