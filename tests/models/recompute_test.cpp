// Activation checkpointing: whatever the family, layers that are computed again give the same gradients to the bit, and
// less is held between forward and backward.
#include <gtest/gtest.h>

#include <algorithm>

#include <numeric>

#include "heed/autograd/autograd.h"
#include "heed/models/new_model.h"
#include "heed/models/registry.h"
#include "heed/tensor/backends.h"

namespace heed::models {
namespace {

Ragged rows_of_ids(int rows, int length, int vocab) {
  Ragged ids;
  for (int r = 0; r < rows; ++r) {
    std::vector<int32_t> row;
    for (int i = 0; i < length - r; ++i) row.push_back(3 + (r * 7 + i * 5) % (vocab - 3));
    ids.append(row);
  }
  return ids;
}

Tensor loss_of(const Model& model, const nn::Pass& pass) {
  constexpr int kVocab = 40;
  const LossOptions options{0, 1, pass};
  const Ragged ids = rows_of_ids(3, 12, kVocab);
  if (const auto* m = dynamic_cast<const Seq2SeqModel*>(&model))
    return m->loss({ids, rows_of_ids(3, 9, kVocab), {4, 5, 6}}, options).loss;
  if (const auto* m = dynamic_cast<const CausalModel*>(&model)) {
    TextBatch batch;
    batch.ids = ids;
    return m->loss(batch, next_tokens(ids), options).loss;
  }
  Targets targets;
  if (const auto* m = dynamic_cast<const EncoderModel*>(&model)) {
    TextBatch batch;
    batch.ids = ids;
    targets.classes = {0, 2, 1};
    return m->loss(batch, targets, options).loss;
  }
  std::vector<float> pixels(3 * 8 * 12);
  std::iota(pixels.begin(), pixels.end(), -100.0f);
  targets.classes = {0, 2, 1};
  return dynamic_cast<const ImageModel&>(model)
      .loss({ops::scale(Tensor::from(pixels, {3, 1, 8, 12}), 0.01f)}, targets, options)
      .loss;
}

class Recompute : public ::testing::TestWithParam<std::string> {};

TEST_P(Recompute, GivesTheSameGradientsFromLessMemory) {
  NewModel m;
  const auto writers = families_of(Kind::kSeq2Seq);  // stay so
  if (std::ranges::find(writers, GetParam()) == writers.end()) m.head = Head::kSequenceClassification;
  m.labels = {"a", "b", "c"};
  m.layers = 16;
  m.d_model = 32;
  m.heads = 4;
  m.positions = 24;
  m.vocab = 40;
  m.ids = {0, 1, 2};
  m.dropout = 0.2f;
  m.image = {1, 8, 12};
  Json config = new_config(GetParam(), m);
  write_classes(config, m.labels, m.problem);
  const auto model = make_model(config, "test", 3);
  std::vector<float> gradients[2];
  size_t held[2];
  for (const bool recompute : {false, true}) {
    nn::Pass pass;
    pass.training = true;
    pass.dropout_key = 77;
    pass.recompute = recompute;
    model->parameters().clear_gradients();
    const size_t before = backend().bytes_in_use();
    const Tensor loss = loss_of(*model, pass);
    held[recompute] = backend().bytes_in_use() - before;
    backward(loss);
    model->parameters().complete_gradients();
    gradients[recompute] = model->parameters().gradients().to_vector<float>();
  }
  EXPECT_EQ(gradients[0], gradients[1]);
  EXPECT_LT(held[1], held[0] * 3 / 4);
}

std::vector<std::string> all_families() {
  std::vector<std::string> all;
  for (const Kind kind : {Kind::kSeq2Seq, Kind::kCausal, Kind::kEncoder, Kind::kImage})
    for (const std::string& family : families_of(kind)) all.push_back(family);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Families, Recompute, ::testing::ValuesIn(all_families()),
                         [](const auto& family) { return family.param; });

}  // namespace
}  // namespace heed::models
