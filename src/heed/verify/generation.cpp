// What transformers' generate() returned, searched again: golden.json's "generate".
#include <algorithm>

#include "heed/decode/decode.h"
#include "heed/io/config_reader.h"
#include "heed/tasks/generation_defaults.h"
#include "heed/verify/verify.h"

namespace heed::verify {
namespace {

using Rows = std::vector<std::vector<int32_t>>;

Rows read_rows(const Json& lists, const std::string& what) {
  Rows rows;
  check<FormatError>(lists.is_array(), "golden.json: {} is no list", what);
  for (const Json& list : lists) {
    check<FormatError>(list.is_array(), "golden.json: {} is no list of lists", what);
    auto& row = rows.emplace_back();
    for (const Json& id : list) {
      check<FormatError>(id.is_number_integer(), "golden.json: {} holds what is no id", what);
      row.push_back(static_cast<int32_t>(id.get<int64_t>()));
    }
  }
  return rows;
}

// One call of generate(): its inputs without padding, its options, and what came out.
struct Call {
  Ragged inputs;
  decode::Options options;
  Rows expected;  // new tokens alone, cut behind the first end token
  std::vector<double> scores;
  std::string text;  // the arguments
};

Ragged read_inputs(const Json& inputs) {
  const Rows ids = read_rows(inputs.at("input_ids"), "input_ids");
  const Rows mask =
      inputs.contains("attention_mask") ? read_rows(inputs.at("attention_mask"), "attention_mask") : Rows();
  Ragged result;
  for (size_t r = 0; r < ids.size(); ++r) {
    std::vector<int32_t> row;
    check<FormatError>(mask.empty() || (r < mask.size() && mask[r].size() == ids[r].size()),
                       "golden.json: attention_mask and input_ids have different shapes");
    for (size_t t = 0; t < ids[r].size(); ++t)
      if (mask.empty() || mask[r][t] != 0) row.push_back(ids[r][t]);
    result.append(row);
  }
  return result;
}

std::vector<int32_t> new_tokens(const std::vector<int32_t>& sequence, size_t given, const decode::Options& options) {
  std::vector<int32_t> row(sequence.begin() + static_cast<int64_t>(std::min(given, sequence.size())), sequence.end());
  const std::vector<int32_t> eos = decode::effective_eos(options);
  const auto end = std::ranges::find_first_of(row, eos);
  if (end != row.end()) row.erase(end + 1, row.end());
  return row;
}

std::string arguments_text(const Json& args) {
  std::string text;
  for (const auto& [key, value] : args.items())
    if (key != "do_sample" && key != "pad_token_id")
      text += fmt::format("{}{}={}", text.empty() ? "" : " ", key, value.dump());
  return text;
}

Call read_call(const models::Model& model, const models::Generator& generator, const Json& entry) {
  Call call;
  const Json& args = entry.at("args");
  call.options = tasks::generation_defaults(model, generator, args);
  call.options.n_best = io::ConfigReader(args, "golden.json").get_or<int>("num_return_sequences", 1, 1, 1024);
  check<FormatError>(!call.options.do_sample, "golden.json: sampling cannot be replayed");
  const bool causal = dynamic_cast<const models::CausalModel*>(&model) != nullptr;
  call.options.continues_input = causal;
  call.inputs = read_inputs(entry.at("inputs"));
  call.text = arguments_text(args);
  const size_t width = entry.at("inputs").at("input_ids").at(0).size();
  for (const auto& sequence : read_rows(entry.at("sequences"), "sequences"))
    call.expected.push_back(new_tokens(sequence, causal ? width : 1, call.options));
  if (entry.contains("sequences_scores"))
    for (const Json& score : entry.at("sequences_scores")) call.scores.push_back(score.get<double>());
  check<FormatError>(static_cast<int>(call.expected.size()) == call.inputs.rows() * call.options.n_best,
                     "golden.json: {} sequences for {} inputs with {} each", call.expected.size(), call.inputs.rows(),
                     call.options.n_best);
  return call;
}

void replay_call(const models::Generator& generator, const Call& call, const Options& options, Report& report) {
  const auto decoded = decode::decode_batch(generator, call.inputs, call.options);
  int64_t different = 0;
  std::string first;
  Comparer scores("sequences_scores");
  for (size_t i = 0; i < call.expected.size(); ++i) {
    const size_t input = i / static_cast<size_t>(call.options.n_best),
                 rank = i % static_cast<size_t>(call.options.n_best);
    const bool there = rank < decoded[input].size();
    if (there && i < call.scores.size()) scores.add(decoded[input][rank].score, call.scores[i]);
    if (there && decoded[input][rank].ids == call.expected[i]) continue;
    if (different++ == 0) {
      const auto& got = there ? decoded[input][rank].ids : std::vector<int32_t>();
      const auto [a, b] = std::ranges::mismatch(got, call.expected[i]);
      first = fmt::format("input {} output {}, at new token {}", input, rank, a - got.begin());
    }
  }
  Check check = exact("generate " + call.text, std::ssize(call.expected), different, first);
  check.path = "inference";
  if (!call.scores.empty()) {
    check.differences.push_back(scores.finish(options.outputs));
    if (!check.differences.back().within()) check.status = Status::kFail;
  }
  report.add(std::move(check));
}

}  // namespace

void replay_generation(const models::Model& model, const Json& entries, const Options& options, Report& report) {
  if (entries.empty()) return;
  const auto* generator = dynamic_cast<const models::Generator*>(&model);
  if (!generator) return report.add(failed("generate", "recorded, but the model does not generate"));
  const NoGrad no_grad;
  for (const Json& entry : entries) replay_call(*generator, read_call(model, *generator, entry), options, report);
}

}  // namespace heed::verify
