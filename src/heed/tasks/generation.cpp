#include "heed/tasks/generation.h"

#include <algorithm>

#include "heed/base/error.h"
#include "heed/io/config_reader.h"
#include "heed/io/model_folder.h"
#include "heed/models/registry.h"
#include "heed/tasks/generation_defaults.h"
#include "heed/tasks/text_stream.h"

namespace heed::tasks {
namespace {

constexpr int kDefaultNewTokens = 256;

// Files of which every tokenizer has at least one.
constexpr const char* kTokenizerFiles[] = {"tokenizer.json", "tokenizer.model",         "vocab.json", "vocab.txt",
                                           "spiece.model",   "sentencepiece.bpe.model", "source.spm"};

// The texts of all outputs, as their ids come: where somebody wants to see them, they end some, or there is a forced
// prefix, which they leave out.
class Streams {
 public:
  Streams(const GenerationModel& model, const Ragged& inputs, const GenerateOptions& options, const OnText& on_text)
      : on_text_(on_text), samples_(options.decode.do_sample ? options.decode.n_best : 1) {
    const bool wanted = on_text || !options.stop.empty() || options.decode.target_prefix.rows() > 0;
    if (!model.tokenizer || options.decode.beam > 1 || !wanted) return;
    for (int i = 0; i < inputs.rows(); ++i)
      for (int s = 0; s < samples_; ++s)
        streams_.emplace_back(*model.tokenizer, model.continues_input ? inputs.row(i) : std::span<const int32_t>(),
                              options.stop);
  }

  bool exist() const { return !streams_.empty(); }
  TextStream& of(int input, int sample) { return streams_[static_cast<size_t>(int64_t{input} * samples_ + sample)]; }

  // Whether the output goes on.
  bool add(int input, int sample, int32_t id) {
    show(input, sample, of(input, sample).add(id));
    return !of(input, sample).stopped();
  }
  void finish(int input, int sample) { show(input, sample, of(input, sample).finish()); }

 private:
  void show(int input, int sample, const std::string& piece) const {
    if (on_text_ && !piece.empty()) on_text_(input, sample, piece);
  }

  const OnText& on_text_;
  const int samples_;
  std::vector<TextStream> streams_;
};

Generation to_generation(const GenerationModel& m, std::span<const int32_t> input, decode::Hypothesis&& h) {
  Generation g;
  g.reason = h.finished ? FinishReason::kEndToken : FinishReason::kLength;
  g.score = h.score;
  g.sum_log_prob = h.sum_log_prob;
  g.token_log_probs = std::move(h.token_log_probs);
  g.ids = std::move(h.ids);
  if (!m.tokenizer) return g;
  TextStream stream(*m.tokenizer, m.continues_input ? input : std::span<const int32_t>());
  for (const int32_t id : g.ids) stream.add(id);
  stream.finish();
  g.text = stream.text();
  return g;
}

void check_options(const GenerationModel& model, const GenerateOptions& options) {
  check<UsageError>(options.stop.empty() || model.tokenizer, "stop: strings cannot be found without a tokenizer");
  check<UsageError>(options.stop.empty() || options.decode.beam == 1,
                    "stop: strings end greedy search and sampling, not a beam of {}", options.decode.beam);
  for (const std::string& stop : options.stop) check<UsageError>(!stop.empty(), "stop: an empty string");
}

}  // namespace

const char* name_of(FinishReason reason) {
  switch (reason) {
    case FinishReason::kEndToken: return "eos";
    case FinishReason::kLength: return "length";
    case FinishReason::kStop: return "stop";
  }
  return "";
}

GenerationModel GenerationModel::load(const std::filesystem::path& path, const models::LoadOptions& options) {
  const io::ModelFolder folder = io::ModelFolder::open(path);
  GenerationModel result;
  result.model = models::load_model(folder, options);
  result.generator = dynamic_cast<const models::Generator*>(result.model.get());
  check<ConfigError>(result.generator != nullptr, "{}: holds {}, which generates no text", path.string(),
                     models::kind_of(*result.model));
  result.continues_input = dynamic_cast<const models::CausalModel*>(result.model.get()) != nullptr;
  if (std::any_of(std::begin(kTokenizerFiles), std::end(kTokenizerFiles),
                  [&](const char* name) { return folder.has_file(name); }))
    result.tokenizer = text::load_tokenizer(folder.path());
  return result;
}

decode::Options GenerationModel::defaults() const {
  decode::Options o = generation_defaults(*model, *generator);
  o.continues_input = continues_input;
  if (o.do_sample) o.beam = 1;
  if (!continues_input) return o;
  // What the folder says, not the greatest length that stands in for nothing.
  const auto& generation = model->generation_config();
  const Json& config = generation && generation->is_object() ? *generation : model->config();
  const bool limited = config.is_object() && (io::ConfigReader(config, "generation_config.json").has("max_length") ||
                                              io::ConfigReader(config, "config.json").has("max_new_tokens"));
  if (!limited) {
    o.max_length = 0;
    o.max_new_tokens = kDefaultNewTokens;
  }
  return o;
}

std::vector<int32_t> GenerationModel::prompt(std::vector<int32_t> ids) const {
  if (!ids.empty() || !continues_input) return ids;
  const Json generation = model->generation_config().value_or(Json::object());
  for (const Json* config : {&generation, &model->config()}) {
    const auto bos = io::ConfigReader(*config, "config.json").ids("bos_token_id");
    if (!bos.empty()) return {bos.front()};
  }
  fail<UsageError>("an empty prompt, and the model names no token that a text begins with (bos_token_id)");
}

std::vector<int32_t> GenerationModel::encode(const std::string& text) const {
  check<UsageError>(tokenizer != nullptr, "the model's folder has no tokenizer: give ids in place of text");
  return prompt(tokenizer->encode(text));
}

std::vector<std::vector<Generation>> generate(const GenerationModel& model, const Ragged& inputs,
                                              const GenerateOptions& options, std::span<const uint64_t> examples,
                                              const OnText& on_text) {
  check_options(model, options);
  Streams streams(model, inputs, options, on_text);
  decode::Stream stream;
  if (streams.exist())
    stream.on_token = [&](int input, int sample, int32_t id, float) { return streams.add(input, sample, id); };
  auto hypotheses = decode::decode_batch(*model.generator, inputs, options.decode, examples, stream);
  std::vector<std::vector<Generation>> results(hypotheses.size());
  for (size_t i = 0; i < hypotheses.size(); ++i)
    for (size_t s = 0; s < hypotheses[i].size(); ++s) {
      const int input = static_cast<int>(i), sample = static_cast<int>(s);
      results[i].push_back(to_generation(model, inputs.row(input), std::move(hypotheses[i][s])));
      if (!streams.exist()) continue;
      streams.finish(input, sample);
      results[i].back().text = streams.of(input, sample).text();
      if (streams.of(input, sample).stopped()) results[i].back().reason = FinishReason::kStop;
    }
  return results;
}

}  // namespace heed::tasks
