// golden.json's "train": AdamW steps from the folder's weights, loss by loss.
//
// The batches lie in train.safetensors, or are made of text by the rules that the goldens' README states: for encoder-
// decoders and decoders of running lines, for classifiers of three labels of single lines and pairs in turn.
#include <algorithm>
#include <array>
#include <cmath>

#include "heed/base/files.h"
#include "heed/tensor/backends.h"
#include "heed/text/line_reader.h"
#include "heed/text/tokenizer.h"
#include "heed/verify/batches.h"
#include "heed/verify/verify.h"

namespace heed::verify {
namespace {

namespace fs = std::filesystem;

constexpr double kRoundedLosses = 2e-2;  // of a loss, where training rounds
constexpr size_t kBatches = 4;           // step k takes batch k mod 4

// Rows of running text: lines, each followed by id 0, cut into 8 rows of 48.
Batch running_text(const text::Tokenizer& tokenizer, const std::vector<std::string>& lines, size_t k) {
  constexpr size_t kRows = 8, kLength = 48;
  std::vector<int32_t> ids;
  for (size_t i = 50 * k; i < lines.size() && ids.size() < kRows * kLength; ++i) {
    for (const int32_t id : tokenizer.encode(lines[i])) ids.push_back(id);
    ids.push_back(0);
  }
  check<DataError>(ids.size() >= kRows * kLength, "the text has too few lines for batch {}", k);
  Batch batch;
  for (size_t r = 0; r < kRows; ++r) batch.ids.append(std::span(ids).subspan(r * kLength, kLength));
  batch.next = models::next_tokens(batch.ids);
  return batch;
}

// Eight lines, to be translated into themselves.
Batch copied_lines(const text::Tokenizer& tokenizer, const std::vector<std::string>& lines, size_t k) {
  check<DataError>(lines.size() >= 8 * k + 8, "the text has too few lines for batch {}", k);
  Batch batch;
  for (size_t i = 8 * k; i < 8 * k + 8; ++i) batch.ids.append(tokenizer.encode(lines[i]));
  batch.target = batch.ids;
  return batch;
}

// Eight items of two lines each from line 20 k on: both as a pair and the first alone in turn, labels 0, 1, 2 in turn.
Batch labelled_lines(const text::Tokenizer& tokenizer, const std::vector<std::string>& lines, size_t k) {
  check<DataError>(lines.size() >= 20 * k + 16, "the text has too few lines for batch {}", k);
  Batch batch;
  for (size_t i = 0; i < 8; ++i) {
    const std::string& line = lines[20 * k + 2 * i];
    const text::TokenizedText t =
        i % 2 == 0 ? tokenizer.tokenize_pair(line, lines[20 * k + 2 * i + 1]) : tokenizer.tokenize(line);
    batch.ids.append(t.ids);
    batch.types.insert(batch.types.end(), t.types.begin(), t.types.end());
    batch.targets.classes.push_back(static_cast<int32_t>(i % 3));
  }
  return batch;
}

// Why no batches can be made of text for this model; empty if they can.
std::string obstacle(const models::Model& model) {
  if (dynamic_cast<const models::Seq2SeqModel*>(&model) || dynamic_cast<const models::CausalModel*>(&model)) return "";
  const auto* encoder = dynamic_cast<const models::EncoderModel*>(&model);
  if (encoder && encoder->head() == models::Head::kSequenceClassification && encoder->labels().size() == 3) return "";
  return "its batches are in no file and no rule makes them";
}

std::vector<std::string> read_lines(const fs::path& file) {
  text::LineReader reader(file.string());
  std::vector<std::string> lines;
  for (std::string line; lines.size() < 1000 && reader.next(line);) lines.push_back(line);
  return lines;
}

std::vector<Batch> batches_of_text(const models::Model& model, const fs::path& folder, const fs::path& file) {
  const std::vector<std::string> lines = read_lines(file);
  const auto tokenizer = text::load_tokenizer(folder);
  std::vector<Batch> batches;
  for (size_t k = 0; k < kBatches; ++k) {
    if (dynamic_cast<const models::Seq2SeqModel*>(&model)) batches.push_back(copied_lines(*tokenizer, lines, k));
    else if (dynamic_cast<const models::CausalModel*>(&model)) batches.push_back(running_text(*tokenizer, lines, k));
    else batches.push_back(labelled_lines(*tokenizer, lines, k));
  }
  return batches;
}

// AdamW with clipping as torch has them.
class Optimizer {
 public:
  Optimizer(nn::ParameterStore& parameters, const Json& train)
      : parameters_(parameters),
        on_(backend(parameters.values().device())),
        first_(Tensor::zeros(parameters.values().shape(), DType::kF32, parameters.values().device())),
        second_(Tensor::zeros(parameters.values().shape(), DType::kF32, parameters.values().device())),
        clip_norm_(train.at("clip_norm").get<double>()) {
    params_.learning_rate = train.at("lr").get<float>();
    params_.beta1 = train.at("betas").at(0).get<float>();
    params_.beta2 = train.at("betas").at(1).get<float>();
    params_.epsilon = train.at("eps").get<float>();
    params_.weight_decay = train.at("weight_decay").get<float>();
    params_.step = 0;
  }

  // Takes a step along the gradients; returns their norm.
  double step() {
    const double norm = std::sqrt(on_.sum_of_squares(parameters_.gradients().view()));
    ++params_.step;
    params_.gradient_scale = static_cast<float>(std::min(1.0, clip_norm_ / (norm + 1e-6)));
    const std::array all{AdamRun{0, first_.numel()}};
    on_.adam(parameters_.values().view(), parameters_.gradients().view(), first_.view(), second_.view(), all, params_);
    parameters_.values_changed();
    return norm;
  }

 private:
  nn::ParameterStore& parameters_;
  Backend& on_;
  Tensor first_, second_;
  double clip_norm_;
  AdamParams params_;
};

}  // namespace

void replay_training(models::Model& model, const fs::path& folder, const Json& train, const Options& options,
                     Report& report) {
  const std::string what = fmt::format("training ({} steps)", train.at("losses").size());
  std::vector<Batch> batches;
  if (fs::exists(folder / "train.safetensors")) {
    const auto file = io::SafeTensors::open(folder / "train.safetensors");
    for (size_t k = 0; k < kBatches; ++k) batches.push_back(read_batch(file, fmt::format("batch{}.", k), model));
  } else if (const std::string why = obstacle(model); !why.empty()) {
    return report.add(skipped(what, why));
  } else if (options.text.empty()) {
    return report.add(skipped(what, "its batches are made of text, which --text names"));
  } else {
    batches = batches_of_text(model, folder, options.text);
  }
  Optimizer optimizer(model.parameters(), train);
  std::vector<Difference> losses;
  Comparer norms("gradient norms, relative");
  const Json& expected_norms = train.at("grad_norms");
  for (size_t k = 0; k < train.at("losses").size(); ++k) {
    model.parameters().clear_gradients();
    const Tensor loss = loss_of(model, batches[k % kBatches], {});
    backward(loss);
    model.parameters().complete_gradients();
    Comparer comparer(fmt::format("loss of step {}", k));
    comparer.add(loss.item(), train.at("losses").at(k).get<double>());
    losses.push_back(comparer.finish({options.trajectory, options.product == DType::kF32 ? 0 : kRoundedLosses}));
    const double norm = optimizer.step();
    if (k == 0 || options.product == DType::kF32) norms.add(norm / expected_norms.at(k).get<double>(), 1);
  }
  report.add(numbers(what, "training", std::move(losses)));
  report.add(numbers("gradient norms of the training", "training", {norms.finish({options.gradient_norm, 0})}));
}

}  // namespace heed::verify
