// Models that are loaded to be run alone: matrices stay bf16 in memory, and give what the same numbers give in f32, bit
// for bit; each is kept once.
#include <gmock/gmock.h>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/decode/decode.h"
#include "heed/models/save.h"
#include "heed/tensor/backends.h"
#include "models/folders.h"

namespace heed::models {
namespace {

namespace fs = std::filesystem;

// Rows that end with the end token, where there is one.
Ragged some_ids(const Model& model, int vocab) {
  const auto end = model.config().find("eos_token_id");
  Ragged ids;
  for (const int length : {4, 1, 6}) {
    std::vector<int32_t> row;
    for (int i = 0; i < length; ++i) row.push_back((7 * i + 3 * length) % vocab);
    if (end != model.config().end() && end->is_number_integer()) row.back() = end->get<int32_t>();
    ids.append(row);
  }
  return ids;
}

// What a model of any kind gives for some input: logits, or the last hidden states.
std::vector<float> outputs(const Model& model) {
  const NoGrad no_grad;
  if (const auto* image = dynamic_cast<const ImageModel*>(&model)) {
    const ImageShape shape = image->image_shape();
    const Tensor pixels = Tensor::empty({2, shape.channels, shape.height, shape.width});
    for (int64_t i = 0; i < pixels.numel(); ++i) pixels.data<float>()[i] = static_cast<float>(i % 13) / 6 - 1;
    return image->hidden({pixels}, {}).to_vector<float>();
  }
  if (const auto* encoder = dynamic_cast<const EncoderModel*>(&model)) {
    const TextBatch batch{some_ids(model, encoder->vocab_size()), {}, {}, {}};
    const bool headless = encoder->head() == Head::kNone;
    return (headless ? encoder->hidden(batch, {}) : encoder->logits(batch, {})).to_vector<float>();
  }
  const Ragged ids = some_ids(model, dynamic_cast<const Generator&>(model).vocab_size());
  if (const auto* causal = dynamic_cast<const CausalModel*>(&model))
    return causal->logits({ids, {}, {}, {}}, {}).to_vector<float>();
  return dynamic_cast<const Seq2SeqModel&>(model).logits({ids, ids, {}}, {}).to_vector<float>();
}

// The ids that beam search gives, of models that generate.
std::vector<std::vector<int32_t>> generated(const Model& model) {
  const auto* generator = dynamic_cast<const Generator*>(&model);
  if (!generator) return {};
  decode::Options options;
  options.continues_input = dynamic_cast<const CausalModel*>(&model) != nullptr;
  options.beam = 2;
  options.max_new_tokens = options.min_new_tokens = 4;
  options.ignore_eos = true;
  std::vector<std::vector<int32_t>> ids;
  for (const auto& hypotheses : decode::decode_batch(*generator, some_ids(model, generator->vocab_size()), options))
    ids.push_back(hypotheses.at(0).ids);
  return ids;
}

// Whether some parameter of this rank is held in this type.
bool has(DType dtype, const Model& model, int rank) {
  return std::ranges::any_of(model.parameters().named(), [&](const nn::NamedTensor& parameter) {
    return parameter.tensor.body()->shape.rank() == rank && parameter.tensor.dtype() == dtype;
  });
}

class Inference : public ::testing::TestWithParam<std::tuple<fs::path, DType>> {};

TEST_P(Inference, NarrowMatricesGiveWhatTheirNumbersGiveInF32) {
  const auto& [path, dtype] = GetParam();
  const auto source = io::ModelFolder::open(path);
  const testing::TemporaryFolder folder;
  const auto original = load_model(source);
  io::write_model_folder(folder / "half", content_of(*original, &source, {dtype}));
  const auto half = io::ModelFolder::open(folder / "half");
  const auto narrow = load_model(half, for_inference());
  EXPECT_TRUE(has(dtype, *narrow, 2));
  EXPECT_FALSE(has(dtype, *narrow, 1));
  // Written back it is the file that it was, without having been f32.
  io::write_model_folder(folder / "again", content_of(*narrow, &half));
  EXPECT_EQ(read_file(folder / "again" / "model.safetensors"), read_file(folder / "half" / "model.safetensors"));
  io::write_model_folder(folder / "wide", content_of(*narrow, &half, {DType::kF32}));
  const auto wide = io::ModelFolder::open(folder / "wide");
  const auto expected = load_model(wide, for_inference()), trained = load_model(half);
  EXPECT_FALSE(has(dtype, *expected, 2));
  const std::vector<float> numbers = outputs(*expected);
  EXPECT_EQ(outputs(*narrow), numbers);
  EXPECT_EQ(outputs(*trained), numbers);
  EXPECT_EQ(generated(*narrow), generated(*expected));
  // The same by choice: matrices are rounded as they are read, what is narrow already stays as it is.
  EXPECT_EQ(outputs(*load_model(wide, for_inference(dtype))), numbers);
  EXPECT_EQ(outputs(*load_model(half, for_inference(DType::kF32))), numbers);
}

std::string name_of_case(const ::testing::TestParamInfo<Inference::ParamType>& tested) {
  const auto& [path, dtype] = tested.param;
  return path.filename().string() + "_" + std::string(name_of(dtype));
}
INSTANTIATE_TEST_SUITE_P(Folders, Inference,
                         ::testing::Combine(::testing::ValuesIn(testing::own_model_folders()),
                                            ::testing::Values(DType::kBF16, DType::kF16)),
                         name_of_case);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Inference);

TEST(LoadForInference, RoundsOnRequest) {
  const auto folder = io::ModelFolder::open(testing::source_path("tests/golden/models/gpt2_inverse_layer_idx"));
  const auto exact = load_model(folder, for_inference());
  const std::vector<float> a = outputs(*exact);
  for (const auto& [dtype, tolerance] : {std::pair{DType::kBF16, 0.05}, std::pair{DType::kF16, 0.007}}) {
    const auto rounded = load_model(folder, for_inference(dtype));
    EXPECT_FALSE(has(dtype, *exact, 2));
    EXPECT_TRUE(has(dtype, *rounded, 2));
    const std::vector<float> b = outputs(*rounded);
    EXPECT_NE(a, b);
    for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], tolerance * (1 + std::abs(a[i]))) << i;
  }
  EXPECT_THROW(load_model(folder, for_inference(DType::kI8)), UsageError);
}

// Sizes that the allocator has classes for, so that its numbers are those of the matrices.
TEST(LoadForInference, KeepsEachMatrixOnce) {
  NewModel wanted;
  wanted.layers = 2;
  wanted.d_model = 256;
  wanted.ffn = 512;
  wanted.vocab = 1024;
  wanted.positions = 64;
  Json config = new_config("llama", wanted);
  config["tie_word_embeddings"] = false;
  const testing::TemporaryFolder folder;
  const auto made = make_model(config, "test", 3);
  const double in_f32 = 4.0 * static_cast<double>(made->parameters().count());
  io::write_model_folder(folder / "wide", content_of(*made, nullptr));
  io::write_model_folder(folder / "half", content_of(*made, nullptr, {DType::kBF16}));
  for (const auto& [name, share] : {std::pair{"wide", 1.0}, std::pair{"half", 0.5}}) {
    const auto before = static_cast<double>(backend().bytes_in_use());
    const auto model = load_model(io::ModelFolder::open(folder / name), for_inference());
    EXPECT_NEAR((static_cast<double>(backend().bytes_in_use()) - before) / in_f32, share, 0.02) << name << " loaded";
    outputs(*model);
    generated(*model);
    EXPECT_NEAR((static_cast<double>(backend().bytes_in_use()) - before) / in_f32, share, 0.05) << name << " used";
    // What was given up cannot be written any more, and says so.
    EXPECT_THROW(content_of(*model, nullptr), Error) << name;
  }
}

// A table that is the output's weight, too: rows are read from the form that products read, and are the same.
TEST(LoadForInference, KeepsALargeTiedTableOnce) {
  NewModel wanted;
  wanted.layers = 1;
  wanted.d_model = 256;
  wanted.vocab = 1 << 15;
  wanted.positions = 64;
  const testing::TemporaryFolder folder;
  const auto made = make_model(new_config("gpt2", wanted), "test", 3);
  const double in_f32 = 4.0 * static_cast<double>(made->parameters().count());
  const auto expected = outputs(*made);
  const auto expected_ids = generated(*made);
  io::write_model_folder(folder / "model", content_of(*made, nullptr));
  const auto before = static_cast<double>(backend().bytes_in_use());
  const auto model = load_model(io::ModelFolder::open(folder / "model"), for_inference());
  for (int i = 0; i < 2; ++i) {  // before the table was given up, and after
    EXPECT_EQ(outputs(*model), expected) << i;
    EXPECT_EQ(generated(*model), expected_ids) << i;
    EXPECT_NEAR((static_cast<double>(backend().bytes_in_use()) - before) / in_f32, 1.0, 0.05) << i;
  }
}

}  // namespace
}  // namespace heed::models
