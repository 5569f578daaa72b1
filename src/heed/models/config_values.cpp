#include "heed/models/config_values.h"

namespace heed::models {

Activation read_activation(const io::ConfigReader& reader, std::string_view key, Activation fallback) {
  return reader.get_enum_or(key, fallback,
                            {{"gelu", Activation::kGelu},
                             {"gelu_accurate", Activation::kGeluTanh},
                             {"gelu_fast", Activation::kGeluTanh},
                             {"gelu_new", Activation::kGeluTanh},
                             {"gelu_python", Activation::kGelu},
                             {"gelu_python_tanh", Activation::kGeluTanh},
                             {"gelu_pytorch_tanh", Activation::kGeluTanh},
                             {"linear", Activation::kNone},
                             {"relu", Activation::kRelu},
                             {"silu", Activation::kSilu},
                             {"swish", Activation::kSilu},
                             {"tanh", Activation::kTanh}});
}

std::string_view activation_name(Activation activation) {
  switch (activation) {
    case Activation::kRelu: return "relu";
    case Activation::kGelu: return "gelu";
    case Activation::kGeluTanh: return "gelu_new";
    case Activation::kSilu: return "swish";
    case Activation::kTanh: return "tanh";
    case Activation::kNone: break;
  }
  return "linear";
}

int read_token_id(const io::ConfigReader& reader, const std::string& file, std::string_view key, int fallback,
                  int64_t vocab) {
  const std::vector<int> ids = reader.ids(key);
  const int id = ids.empty() ? fallback : ids.front();
  check<ConfigError>(id >= 0 && id < vocab, "{}: {} is {}; the vocabulary has {} tokens", file, key, id, vocab);
  return id;
}

}  // namespace heed::models
