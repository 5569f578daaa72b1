// Activations by the names that transformers has for them, against its own numbers
// (tools/record_goldens/activations.py); those that Heed does not compute are refused by key and value.
#include "heed/models/config_values.h"

#include <gmock/gmock.h>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/ops/ops.h"
#include "shared_files.h"

namespace heed::models {
namespace {

using ::testing::HasSubstr;

Activation read(const std::string& name, std::string_view key = "hidden_act") {
  const Json config{{key, name}};
  return read_activation(io::ConfigReader(config, "config.json"), key, Activation::kNone);
}

TEST(Activations, GiveTheNumbersOfTransformers) {
  const Json golden = read_json(testing::source_path("tests/golden/activations.json"));
  const auto x = golden["x"].get<std::vector<float>>();
  std::vector<std::string> computed;
  for (const auto& [name, values] : golden["values"].items()) {
    try {
      const Tensor y = ops::activation(Tensor::from(x, {static_cast<int64_t>(x.size())}), read(name));
      computed.push_back(name);
      for (size_t i = 0; i < x.size(); ++i)
        EXPECT_NEAR(y.data<float>()[i], values[i].get<float>(), 2e-6) << name << " of " << x[i];
    } catch (const ConfigError& e) {
      EXPECT_THAT(e.what(), HasSubstr("hidden_act"));
      EXPECT_THAT(e.what(), HasSubstr('"' + name + '"'));
    }
  }
  EXPECT_THAT(computed, ::testing::UnorderedElementsAre("gelu", "gelu_accurate", "gelu_fast", "gelu_new", "gelu_python",
                                                        "gelu_python_tanh", "gelu_pytorch_tanh", "linear", "relu",
                                                        "silu", "swish", "tanh"));
}

TEST(Activations, AreNamedSoThatTheyAreReadBack) {
  for (const Activation kind : {Activation::kNone, Activation::kRelu, Activation::kGelu, Activation::kGeluTanh,
                                Activation::kSilu, Activation::kTanh})
    EXPECT_EQ(read(std::string(activation_name(kind))), kind);
}

}  // namespace
}  // namespace heed::models
