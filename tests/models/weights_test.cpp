// Matching a folder's tensors to parameters: old names, prefixes, ties, buffers; what is missing or too much by name.
#include "heed/models/weights.h"

#include <gmock/gmock.h>

#include "heed/base/error.h"
#include "heed/base/json.h"
#include "heed/io/safetensors.h"
#include "io/file_image.h"
#include "shared_files.h"

namespace heed::models {
namespace {

using io::message_of;
using ::testing::HasSubstr;

// A model of an embedding, a norm below the prefix "base.", and a head.
struct Model {
  nn::ParameterStore store;
  Tensor embedding, norm, head, extra;
  Model() {
    nn::Builder b(store, std::nullopt);
    embedding = store.create({"base.embed.weight"}, {3, 2});
    norm = store.create({"base.norm.weight"}, {2});
    head = store.create({"head.weight"}, {1, 2});
    extra = store.create_constant("bias", {1, 3});
    store.flatten();
  }
};

WeightRules rules() {
  WeightRules r;
  r.optional = [](const std::string& name) { return name == "bias"; };
  r.ignored = [](const std::string& name) { return name.ends_with(".mask"); };
  r.rename = modern_norm_name;
  r.base_prefix = "base.";
  r.tied = {{"output.weight", "base.embed.weight"}};
  return r;
}

// A folder that holds tensors of these names: the embedding's are 0, 1, 2, …, others count on from 10.
class Folder {
 public:
  explicit Folder(const std::vector<std::pair<std::string, std::vector<int64_t>>>& tensors, float offset = 0) {
    std::vector<Tensor> keep;
    std::vector<io::NamedView> views;
    for (const auto& [name, dims] : tensors) {
      keep.push_back(Tensor::empty(Shape(dims)));
      for (int64_t i = 0; i < keep.back().numel(); ++i) keep.back().data<float>()[i] = value_++ + offset;
      views.push_back({name, keep.back().view()});
    }
    io::write_safetensors(folder_ / "model.safetensors", views);
    write_json(folder_ / "config.json", Json::object());
  }
  io::ModelFolder open() const { return io::ModelFolder::open(folder_.path()); }

 private:
  heed::testing::TemporaryFolder folder_;
  float value_ = 0;
};

std::string load_error(const Folder& folder) {
  Model model;
  return message_of<FormatError>([&] { load_weights(model.store, folder.open(), rules()); });
}

TEST(Weights, FillsParametersByName) {
  const Folder folder({{"base.embed.weight", {3, 2}}, {"base.norm.weight", {2}}, {"head.weight", {1, 2}}});
  Model model;
  load_weights(model.store, folder.open(), rules());
  EXPECT_EQ(model.embedding.to_vector<float>(), (std::vector<float>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(model.norm.to_vector<float>(), (std::vector<float>{6, 7}));
  EXPECT_EQ(model.head.to_vector<float>(), (std::vector<float>{8, 9}));
  EXPECT_EQ(model.extra.to_vector<float>(), (std::vector<float>{0, 0, 0}));  // optional, and not there
}

TEST(Weights, ReadsOldNamesAndNamesWithoutThePrefix) {
  const Folder folder({{"embed.weight", {3, 2}}, {"norm.gamma", {2}}, {"head.weight", {1, 2}}, {"embed.mask", {7}}});
  Model model;
  load_weights(model.store, folder.open(), rules());
  EXPECT_EQ(model.embedding.to_vector<float>()[5], 5);
  EXPECT_EQ(model.norm.to_vector<float>(), (std::vector<float>{6, 7}));
  EXPECT_EQ(parameter_for(model.store, rules(), "norm.gamma"), "base.norm.weight");
  EXPECT_EQ(parameter_for(model.store, rules(), "other"), std::nullopt);
}

TEST(Weights, ABaseModelAloneReadsNamesWithThePrefix) {
  nn::ParameterStore store;
  nn::Builder b(store, std::nullopt);
  const Tensor embedding = store.create({"embed.weight"}, {3, 2});
  store.flatten();
  load_weights(store, Folder({{"base.embed.weight", {3, 2}}}).open(), rules());
  EXPECT_EQ(embedding.to_vector<float>()[4], 4);
}

TEST(Weights, TiedCopiesStandInForTheParameter) {
  Model model;
  load_weights(model.store,
               Folder({{"output.weight", {3, 2}}, {"base.norm.weight", {2}}, {"head.weight", {1, 2}}}).open(), rules());
  EXPECT_EQ(model.embedding.to_vector<float>(), (std::vector<float>{0, 1, 2, 3, 4, 5}));
}

TEST(Weights, TiesThatDoNotHoldAreSeen) {
  const Folder both({{"base.embed.weight", {3, 2}}, {"output.weight", {3, 2}}});
  Model model;
  EXPECT_TRUE(ties_are_broken(model.store, both.open(), rules()));
  EXPECT_FALSE(ties_are_broken(model.store, Folder({{"output.weight", {3, 2}}}).open(), rules()));
}

TEST(Weights, NamesWhatIsMissingUnexpectedOrOfAnotherShape) {
  EXPECT_THAT(load_error(Folder({{"base.embed.weight", {3, 2}}, {"head.weight", {1, 2}}})),
              HasSubstr("tensors are missing: base.norm.weight"));
  EXPECT_THAT(
      load_error(Folder(
          {{"base.embed.weight", {3, 2}}, {"base.norm.weight", {2}}, {"head.weight", {1, 2}}, {"head.scale", {1}}})),
      HasSubstr("does not account for: head.scale"));
  EXPECT_THAT(load_error(Folder({{"base.embed.weight", {2, 3}}, {"base.norm.weight", {2}}, {"head.weight", {1, 2}}})),
              HasSubstr("tensor \"base.embed.weight\" has shape [2, 3]; the configuration asks for [3, 2]"));
  EXPECT_THAT(load_error(Folder({{"base.norm.weight", {2}}, {"norm.gamma", {2}}})),
              HasSubstr("\"base.norm.weight\" and \"norm.gamma\" are both \"base.norm.weight\""));
}

}  // namespace
}  // namespace heed::models
