// The forward pass and its gradients against golden.safetensors and grads.safetensors.
//
// Outputs are computed twice: as inference does (packed weights, nothing recorded) and as training does. Both run the
// fused attention, which never holds an attention matrix; those are computed beside it, matrix by matrix ("composed").
#include <algorithm>
#include <cmath>
#include <set>

#include "heed/models/registry.h"
#include "heed/ops/ops.h"
#include "heed/verify/batches.h"
#include "heed/verify/verify.h"

namespace heed::verify {
namespace {

// What a golden's tensors are held against; ticks off what has been compared.
class Replay {
 public:
  Replay(const io::SafeTensors& golden, const models::Model& model, const Options& options, Report& report)
      : golden_(golden), batch_(read_batch(golden, "in.", model)), options_(options), report_(report) {
    for (const std::string& name : golden.names())
      if (name.starts_with("out.")) open_.insert(name);
    if (!batch_.pixels.defined()) return;
    // An image's tokens: as many as are recorded.
    const int64_t images = batch_.pixels.dim(0);
    for (const char* name : {"out.hidden_states.0", "out.last_hidden_state"})
      if (golden.contains(name) && batch_.ids.rows() == 0)
        for (int64_t i = 0; i < images; ++i)
          batch_.ids.append(std::vector<int32_t>(static_cast<size_t>(golden.view(name).shape[1])));
  }

  const Batch& batch() const { return batch_; }
  bool has(const std::string& name) const { return golden_.contains("out." + name); }

  // Takes the recorded tensor `name`, to be compared.
  TensorView take(const std::string& name) {
    open_.erase("out." + name);
    return golden_.view("out." + name);
  }

  void rows(const std::string& name, const std::string& path, const Tensor& actual, bool target = false) {
    report_.add(numbers(name, path, {row_difference(name, actual, target)}));
  }
  void all(const std::string& name, const std::string& path, const Tensor& actual) {
    report_.add(numbers(name, path, {compare_all(name, actual.to({}).view(), take(name), options_.outputs)}));
  }

  void states(const std::string& name, const std::vector<Tensor>& states, bool target = false) {
    const size_t recorded = count(name);
    if (recorded == 0) return;
    std::vector<Difference> differences;
    for (size_t i = 0; i < std::min(recorded, states.size()); ++i)
      differences.push_back(row_difference(fmt::format("{}.{}", name, i), states[i], target));
    add_list(name, "inference", recorded, states.size(), std::move(differences));
  }

  // Per layer and, within it, per row and head one matrix of that row's real tokens.
  void attentions(const std::string& name, const std::vector<std::vector<Tensor>>& layers) {
    const size_t recorded = count(name);
    if (recorded == 0) return;
    std::vector<Difference> differences;
    for (size_t i = 0; i < std::min(recorded, layers.size()); ++i)
      differences.push_back(layer_difference(fmt::format("{}.{}", name, i), layers[i]));
    add_list(name, "composed", recorded, layers.size(), std::move(differences));
  }

  // A failure for every recorded output that nothing was held against.
  void finish() {
    for (const std::string& name : open_)
      report_.add(failed(name.substr(4), "recorded, but verify computes no such output of this model"));
  }

 private:
  size_t count(const std::string& list) const {
    size_t n = 0;
    while (has(fmt::format("{}.{}", list, n))) ++n;
    return n;
  }

  Difference row_difference(const std::string& name, const Tensor& actual, bool target) {
    return target ? compare_rows(name, actual, batch_.target, {}, take(name), options_.outputs)
                  : compare_rows(name, actual, batch_.ids, batch_.counted(), take(name), options_.outputs);
  }

  void add_list(const std::string& name, const char* path, size_t recorded, size_t computed,
                std::vector<Difference> differences) {
    Check check = numbers(fmt::format("{} ({})", name, recorded), path, std::move(differences));
    if (computed != recorded) {
      check.status = Status::kFail;
      check.note = fmt::format("{} computed, {} recorded", computed, recorded);
      for (size_t i = computed; i < recorded; ++i) take(fmt::format("{}.{}", name, i));
    }
    report_.add(std::move(check));
  }

  Difference layer_difference(const std::string& name, const std::vector<Tensor>& matrices) {
    const TensorView reference = take(name);  // [batch, heads, time_q, time_k]
    check<FormatError>(
        reference.shape.rank() == 4 && static_cast<int64_t>(matrices.size()) == reference.shape[0] * reference.shape[1],
        "{}: recorded with shape {}, where {} matrices were computed", name, reference.shape.to_string(),
        matrices.size());
    const int64_t heads = reference.shape[1], time_q = reference.shape[2], time_k = reference.shape[3];
    Comparer comparer(name);
    for (size_t m = 0; m < matrices.size(); ++m) {
      const Tensor& p = matrices[m];
      const std::vector<int32_t> counted = batch_.counted();
      int64_t rows = p.dim(0), columns = p.dim(1);
      if (!counted.empty()) rows = columns = counted[m / static_cast<size_t>(heads)];
      check<FormatError>(rows <= time_q && columns <= time_k && columns <= p.dim(1),
                         "{}: a matrix of {} computed for {} recorded", name, p.shape().to_string(),
                         reference.shape.to_string());
      for (int64_t q = 0; q < rows; ++q)
        for (int64_t k = 0; k < columns; ++k)
          comparer.add(p.data<float>()[q * p.dim(1) + k],
                       element(reference, (static_cast<int64_t>(m) * time_q + q) * time_k + k));
    }
    return comparer.finish(options_.outputs);
  }

  const io::SafeTensors& golden_;
  Batch batch_;
  const Options& options_;
  Report& report_;
  std::set<std::string> open_;
};

void compare_answer_logits(Replay& replay, const std::string& path, const Tensor& logits) {
  replay.rows("start_logits", path, logits.slice_columns(0, 1).clone());
  replay.rows("end_logits", path, logits.slice_columns(1, 1).clone());
}

// The logits, by whichever name and layout they are recorded.
void compare_logits(Replay& replay, const std::string& path, const models::Model& model, const Tensor& logits) {
  const auto* encoder = dynamic_cast<const models::EncoderModel*>(&model);
  if (encoder && encoder->head() == models::Head::kQuestionAnswering)
    return compare_answer_logits(replay, path, logits);
  const bool per_row = dynamic_cast<const models::ImageModel*>(&model) ||
                       (encoder && encoder->head() == models::Head::kSequenceClassification);
  if (per_row) replay.all("logits", path, logits);
  else replay.rows("logits", path, logits, dynamic_cast<const models::Seq2SeqModel*>(&model) != nullptr);
}

bool has_head(const models::Model& model) {
  if (const auto* image = dynamic_cast<const models::ImageModel*>(&model)) return !image->labels().empty();
  const auto* encoder = dynamic_cast<const models::EncoderModel*>(&model);
  return !encoder || encoder->head() != models::Head::kNone;
}

// What a model without a head gives: last hidden states and what is pooled of them.
void compare_base_outputs(Replay& replay, const models::Model& model, const nn::Pass& pass) {
  const auto* image = dynamic_cast<const models::ImageModel*>(&model);
  const auto* encoder = dynamic_cast<const models::EncoderModel*>(&model);
  const Tensor hidden =
      image ? image->hidden(replay.batch().pixels, pass) : encoder->hidden(replay.batch().text(), pass);
  if (replay.has("last_hidden_state")) replay.rows("last_hidden_state", "inference", hidden);
  if (!replay.has("pooler_output")) return;
  const Tensor pooled = image ? image->pooled(hidden) : encoder->pooled(hidden, replay.batch().text());
  if (pooled.defined()) replay.all("pooler_output", "inference", pooled);
}

}  // namespace

void replay_outputs(const models::Model& model, const io::SafeTensors& golden, const Options& options, Report& report) {
  Replay replay(golden, model, options, report);
  nn::Trace trace;
  {
    const NoGrad no_grad;
    nn::Pass pass;
    pass.trace = &trace;
    if (has_head(model)) compare_logits(replay, "inference", model, logits_of(model, replay.batch(), pass));
    else compare_base_outputs(replay, model, pass);
    if (replay.has("loss")) replay.all("loss", "inference", loss_of(model, replay.batch(), {}));
  }
  const bool both = !trace.encoder_states.empty() && !trace.decoder_states.empty();
  const bool causal = dynamic_cast<const models::CausalModel*>(&model) != nullptr;
  if (both) {
    // Under a head the decoder reads the source itself.
    const bool has_target = dynamic_cast<const models::Seq2SeqModel*>(&model) != nullptr;
    replay.states("encoder_hidden_states", trace.encoder_states);
    replay.states("decoder_hidden_states", trace.decoder_states, has_target);
    if (replay.has("encoder_last_hidden_state"))
      replay.rows("encoder_last_hidden_state", "inference", trace.encoder_states.back());
    replay.attentions("encoder_attentions", trace.encoder_attentions);
    replay.attentions("decoder_attentions", trace.decoder_attentions);
    replay.attentions("cross_attentions", trace.cross_attentions);
  } else {
    replay.states("hidden_states", causal ? trace.decoder_states : trace.encoder_states);
    replay.attentions("attentions", causal ? trace.decoder_attentions : trace.encoder_attentions);
  }
  replay.finish();
}

void replay_training_outputs(const models::Model& model, const io::SafeTensors& golden, const Options& options,
                             Report& report) {
  if (!has_head(model)) return;
  Replay replay(golden, model, options, report);
  compare_logits(replay, "training", model, ops::cast(logits_of(model, replay.batch(), {}), DType::kF32));
}

// All gradients as one vector.
class WholeGradient {
 public:
  void add(const TensorView& actual, const TensorView& expected) {
    for (int64_t i = 0; i < expected.shape.numel(); ++i) {
      const double reference = element(expected, i);
      error_ += std::pow(element(actual, i) - reference, 2);
      length_ += reference * reference;
    }
  }
  Difference difference(const Bound& bound) const {
    Comparer comparer("relative length of the error");
    comparer.add(std::sqrt(error_ / length_), 0);
    return comparer.finish({bound.relative, 0});
  }

 private:
  double error_ = 0, length_ = 0;
};

void replay_gradients(models::Model& model, const io::SafeTensors& golden, const io::SafeTensors& gradients,
                      const Options& options, Report& report) {
  const Batch batch = read_batch(golden, "in.", model);
  nn::ParameterStore& parameters = model.parameters();
  parameters.clear_gradients();
  const Tensor loss = loss_of(model, batch, {});
  if (golden.contains("out.loss"))
    report.add(numbers("loss", "training",
                       {compare_all("loss", loss.to({}).view(), golden.view("out.loss"), options.outputs)}));
  backward(loss);
  parameters.complete_gradients();
  std::vector<Difference> differences;
  WholeGradient whole;
  std::string unknown;
  const models::WeightRules rules = model.weight_rules();
  for (const std::string& name : gradients.names()) {
    const auto parameter = models::parameter_for(parameters, rules, name);
    const auto it = std::ranges::find_if(parameters.named(),
                                         [&](const nn::NamedTensor& p) { return parameter && p.name == *parameter; });
    if (it == parameters.named().end() || !it->tensor.grad().defined()) {
      if (unknown.empty()) unknown = name;
      continue;
    }
    const Tensor gradient = it->tensor.grad().to({});
    differences.push_back(compare_all(name, gradient.view(), gradients.view(name), options.gradients));
    whole.add(gradient.view(), gradients.view(name));
  }
  // Rounded, those that are all but zero (of biases of keys) are off by any share of themselves.
  const size_t count = differences.size();
  if (options.product != DType::kF32) differences = {whole.difference(options.gradients)};
  Check check = numbers(fmt::format("gradients ({})", count), "training", std::move(differences));
  if (!unknown.empty()) {
    check.status = Status::kFail;
    check.note = "recorded, but the model has no such parameter: " + unknown;
  }
  report.add(std::move(check));
}

}  // namespace heed::verify
