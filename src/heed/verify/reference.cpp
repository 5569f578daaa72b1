// Two folders, or one in two element types, on the same text.
#include <algorithm>

#include "heed/io/model_folder.h"
#include "heed/models/registry.h"
#include "heed/tensor/backends.h"
#include "heed/text/tokenizer.h"
#include "heed/verify/batches.h"
#include "heed/verify/verify.h"

namespace heed::verify {
namespace {

void round_weights(models::Model& model, DType dtype) {
  for (const auto& [name, tensor] : model.parameters().named()) {
    const Tensor rounded = Tensor::empty(tensor.shape(), dtype);
    backend().copy(tensor.view(), rounded.view());
    backend().copy(rounded.view(), tensor.view());
  }
  model.parameters().values_changed();
}

size_t longest_input(const models::Model& model) {
  if (const auto* m = dynamic_cast<const models::Generator*>(&model)) return static_cast<size_t>(m->max_length());
  if (const auto* m = dynamic_cast<const models::EncoderModel*>(&model)) return static_cast<size_t>(m->max_length());
  fail<UsageError>("{} does not read text", models::kind_of(model));
}

// What is compared of a batch: f32 [rows, columns].
Tensor answers(const models::Model& model, const Batch& batch) {
  const auto* encoder = dynamic_cast<const models::EncoderModel*>(&model);
  if (encoder && encoder->head() == models::Head::kNone) return encoder->hidden(batch.text(), {});
  return logits_of(model, batch, {});
}

// Counts rows in which another column is the largest, near-ties aside.
struct Choices {
  int64_t rows = 0, different = 0, near_ties = 0;
  void add(const Tensor& actual, const Tensor& reference, double bound) {
    const int64_t columns = reference.shape().cols();
    for (int64_t r = 0; r < reference.shape().rows(); ++r) {
      const float *a = actual.view().row<float>(r), *b = reference.view().row<float>(r);
      const int64_t chosen = std::max_element(a, a + columns) - a, wanted = std::max_element(b, b + columns) - b;
      ++rows;
      if (chosen == wanted) continue;
      ++(b[wanted] - b[chosen] <= 2 * bound ? near_ties : different);
    }
  }
};

Batch make_batch(const text::Tokenizer& tokenizer, std::span<const std::string> lines, size_t most, bool pairs) {
  Batch batch;
  for (const std::string& line : lines) {
    text::TokenizedText text = tokenizer.tokenize(line);
    if (text.ids.empty()) continue;
    if (text.ids.size() > most) {
      text.ids[most - 1] = text.ids.back();  // its end token
      text.ids.resize(most);
      text.types.resize(most);
    }
    batch.ids.append(text.ids);
    batch.types.insert(batch.types.end(), text.types.begin(), text.types.end());
  }
  if (std::ranges::all_of(batch.types, [](int32_t type) { return type == 0; })) batch.types.clear();
  if (pairs) batch.target = batch.ids;
  return batch;
}

}  // namespace

Report compare_folders(const std::filesystem::path& folder, const std::filesystem::path& reference,
                       const std::vector<std::string>& lines, const ReferenceOptions& options) {
  const models::LoadOptions run_only = models::for_inference();
  // What is rounded here, and back, is in f32.
  const auto ours = models::load_model(io::ModelFolder::open(folder), options.dtype ? models::LoadOptions{} : run_only);
  const auto theirs = models::load_model(io::ModelFolder::open(reference), run_only);
  if (options.dtype) round_weights(*ours, *options.dtype);
  const auto tokenizer = text::load_tokenizer(folder);
  const size_t most = std::min(longest_input(*ours), longest_input(*theirs));
  const bool pairs = dynamic_cast<const models::Seq2SeqModel*>(ours.get()) != nullptr;
  const NoGrad no_grad;
  std::vector<Difference> differences;
  Choices choices;
  for (size_t begin = 0; begin < lines.size(); begin += options.batch_size) {
    const size_t count = std::min(options.batch_size, lines.size() - begin);
    const Batch batch = make_batch(*tokenizer, std::span(lines).subspan(begin, count), most, pairs);
    if (batch.ids.tokens() == 0) continue;
    const Tensor a = answers(*ours, batch), b = answers(*theirs, batch);
    check<ConfigError>(a.shape() == b.shape(), "{} gives {}, {} gives {}: they cannot be compared", folder.string(),
                       a.shape().to_string(), reference.string(), b.shape().to_string());
    differences.push_back(
        compare_all(fmt::format("lines {} to {}", begin + 1, begin + count), a.view(), b.view(), options.outputs));
    choices.add(a, b, differences.back().bound);
  }
  check<DataError>(!differences.empty(), "the text has no line with a token in it");
  Report report;
  const auto* encoder = dynamic_cast<const models::EncoderModel*>(ours.get());
  const bool headless = encoder && encoder->head() == models::Head::kNone;
  report.add(numbers(headless ? "last_hidden_state" : "logits", "inference", std::move(differences)));
  if (headless) return report;
  Check check = exact("likeliest", choices.rows, choices.different, "not a near-tie");
  check.path = "inference";
  if (choices.near_ties > 0) check.note += fmt::format("; {} near-ties decided otherwise", choices.near_ties);
  report.add(std::move(check));
  return report;
}

}  // namespace heed::verify
