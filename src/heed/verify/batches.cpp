#include "heed/verify/batches.h"

#include <algorithm>

#include "heed/models/registry.h"
#include "heed/verify/comparison.h"

namespace heed::verify {
namespace {

using models::CausalModel;
using models::EncoderModel;
using models::Head;
using models::ImageModel;
using models::Seq2SeqModel;

int32_t id_at(const TensorView& view, int64_t i) { return static_cast<int32_t>(element(view, i)); }

std::vector<int32_t> all_ids(const TensorView& view) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < view.shape.numel(); ++i) ids.push_back(id_at(view, i));
  return ids;
}

void check_matrix(const TensorView& view, const std::string& name) {
  check<FormatError>(view.shape.rank() == 2, "{}: expected [rows, time], found shape {}", name, view.shape.to_string());
}

// The labels of each row behind one another, of as many positions as the packed row has.
std::vector<int32_t> packed_labels(const TensorView& labels, const Batch& batch) {
  std::vector<int32_t> packed;
  for (int i = 0; i < batch.ids.rows(); ++i)
    for (int t = 0; t < batch.ids.length(i); ++t) packed.push_back(id_at(labels, i * labels.shape[1] + t));
  return packed;
}

void read_text(const io::SafeTensors& file, const std::string& prefix, Batch& batch) {
  const TensorView ids = file.view(prefix + "input_ids");
  check_matrix(ids, prefix + "input_ids");
  const bool masked = file.contains(prefix + "attention_mask");
  const TensorView mask = masked ? file.view(prefix + "attention_mask") : TensorView{};
  if (masked)
    check<FormatError>(mask.shape == ids.shape, "{}attention_mask has shape {}, the ids {}", prefix,
                       mask.shape.to_string(), ids.shape.to_string());
  const Ragged without = unpadded(ids, mask);
  for (int i = 0; i < without.rows(); ++i) batch.real.push_back(without.length(i));
  batch.ids = batch.keep_padding ? unpadded(ids, {}) : without;
  if (!file.contains(prefix + "token_type_ids")) return;
  const TensorView types = file.view(prefix + "token_type_ids");
  check<FormatError>(types.shape == ids.shape, "{}token_type_ids have shape {}, the ids {}", prefix,
                     types.shape.to_string(), ids.shape.to_string());
  batch.types = batch.keep_padding ? unpadded(types, {}).ids : unpadded(types, mask).ids;
}

void read_classes(const TensorView& labels, Batch& batch) {
  if (labels.dtype != DType::kF32) {
    batch.targets.classes = all_ids(labels);
    return;
  }
  const int64_t rows = labels.shape.rank() > 0 ? labels.shape[0] : 1;
  batch.targets.values = Tensor::empty({rows, rows > 0 ? labels.shape.numel() / rows : 1});
  for (int64_t i = 0; i < labels.shape.numel(); ++i)
    batch.targets.values.data<float>()[i] = static_cast<float>(element(labels, i));
}

void read_head(const io::SafeTensors& file, const std::string& prefix, Head head, Batch& batch) {
  const bool labelled = file.contains(prefix + "labels");
  switch (head) {
    case Head::kNone: return;
    case Head::kSequenceClassification:
      if (labelled) read_classes(file.view(prefix + "labels"), batch);
      return;
    case Head::kMaskedLM:
    case Head::kTokenClassification:
      if (labelled) batch.targets.classes = packed_labels(file.view(prefix + "labels"), batch);
      return;
    case Head::kQuestionAnswering:
      if (!file.contains(prefix + "start_positions")) return;
      batch.targets.begins = all_ids(file.view(prefix + "start_positions"));
      batch.targets.ends = all_ids(file.view(prefix + "end_positions"));
  }
}

// Targets shifted by one: the label behind each token.
std::vector<int32_t> next_labels(const TensorView& labels, const Batch& batch) {
  std::vector<int32_t> next;
  for (int i = 0; i < batch.ids.rows(); ++i)
    for (int t = 0; t < batch.ids.length(i); ++t)
      next.push_back(t + 1 < batch.ids.length(i) ? id_at(labels, i * labels.shape[1] + t + 1) : -100);
  return next;
}

// The labels that are tokens.
Ragged read_target(const TensorView& labels) {
  Ragged target;
  for (int64_t r = 0; r < labels.shape[0]; ++r) {
    std::vector<int32_t> row;
    for (int64_t t = 0; t < labels.shape[1]; ++t)
      if (const int32_t id = id_at(labels, r * labels.shape[1] + t); id >= 0) row.push_back(id);
    target.append(row);
  }
  return target;
}

// The loss of a head is a sum over targets: divided by their number it is the mean.
template <class Model, class Input>
Tensor mean_loss(const Model& model, const Input& input, const models::Targets& targets, const nn::Pass& pass) {
  double count = 1;
  {
    const NoGrad no_grad;
    count = static_cast<double>(std::max<int64_t>(model.loss(input, targets, {0, 1, {}}).targets, 1));
  }
  return model.loss(input, targets, {0, count, pass}).loss;
}

}  // namespace

Ragged unpadded(const TensorView& ids, const TensorView& mask) {
  Ragged rows;
  const int64_t time = ids.shape[1];
  for (int64_t r = 0; r < ids.shape[0]; ++r) {
    std::vector<int32_t> row;
    for (int64_t t = 0; t < time; ++t)
      if (!mask || element(mask, r * time + t) != 0) row.push_back(id_at(ids, r * time + t));
    rows.append(row);
  }
  return rows;
}

Batch read_batch(const io::SafeTensors& file, const std::string& prefix, const models::Model& model) {
  Batch batch;
  if (dynamic_cast<const ImageModel*>(&model)) {
    const TensorView pixels = file.view(prefix + "pixel_values");
    check<FormatError>(pixels.dtype == DType::kF32 && pixels.shape.rank() == 4,
                       "{}pixel_values: expected f32 [images, channels, height, width]", prefix);
    const std::span<const float> values(pixels.as<float>(), static_cast<size_t>(pixels.shape.numel()));
    batch.pixels = Tensor::from(values, pixels.shape);
    if (file.contains(prefix + "labels")) read_classes(file.view(prefix + "labels"), batch);
    return batch;
  }
  const auto* encoder = dynamic_cast<const EncoderModel*>(&model);
  // The loss over positions of an answer counts padded positions too.
  batch.keep_padding = encoder && encoder->head() == Head::kQuestionAnswering;
  read_text(file, prefix, batch);
  if (file.contains(prefix + "labels") && !(encoder && encoder->head() == Head::kSequenceClassification))
    check_matrix(file.view(prefix + "labels"), prefix + "labels");
  if (encoder) read_head(file, prefix, encoder->head(), batch);
  else if (dynamic_cast<const Seq2SeqModel*>(&model)) batch.target = read_target(file.view(prefix + "labels"));
  else batch.next = next_labels(file.view(prefix + "labels"), batch);
  return batch;
}

Tensor loss_of(const models::Model& model, const Batch& batch, const nn::Pass& pass) {
  if (const auto* m = dynamic_cast<const Seq2SeqModel*>(&model))
    return m->loss(batch.pairs(), {0, static_cast<double>(std::max<int64_t>(batch.target.tokens(), 1)), pass}).loss;
  if (const auto* m = dynamic_cast<const CausalModel*>(&model)) {
    const auto count = std::ranges::count_if(batch.next, [](int32_t id) { return id >= 0; });
    return m->loss(batch.text(), batch.next, {0, static_cast<double>(std::max<int64_t>(count, 1)), pass}).loss;
  }
  if (const auto* m = dynamic_cast<const EncoderModel*>(&model))
    return mean_loss(*m, batch.text(), batch.targets, pass);
  const auto* m = dynamic_cast<const ImageModel*>(&model);
  check<ConfigError>(m != nullptr, "verify knows no loss of {}", models::kind_of(model));
  return mean_loss(*m, batch.pixels, batch.targets, pass);
}

Tensor logits_of(const models::Model& model, const Batch& batch, const nn::Pass& pass) {
  if (const auto* m = dynamic_cast<const Seq2SeqModel*>(&model)) return m->logits(batch.pairs(), pass);
  if (const auto* m = dynamic_cast<const CausalModel*>(&model)) return m->logits(batch.text(), pass);
  if (const auto* m = dynamic_cast<const EncoderModel*>(&model)) return m->logits(batch.text(), pass);
  const auto* m = dynamic_cast<const ImageModel*>(&model);
  check<ConfigError>(m != nullptr, "verify knows no logits of {}", models::kind_of(model));
  return m->logits(batch.pixels, pass);
}

}  // namespace heed::verify
