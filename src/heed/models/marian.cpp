#include "heed/models/marian.h"

#include "heed/models/config_values.h"

namespace heed::models {
namespace {

constexpr const char* kMarian = "marian";
constexpr const char* kHeed = "heed-transformer";

bool says_more_than_marian(const EncoderDecoderConfig& c) {
  return c.pre_norm || c.positions != Positions::kSinusoidsInHalves;
}

EncoderDecoderConfig read_structure(const Json& json, const std::string& file) {
  const io::ConfigReader r(json, file);
  const bool marian = r.require_string("model_type") == kMarian;
  EncoderDecoderConfig c;
  c.d_model = r.get_or<int>("d_model", 1024, 1, io::kMaxHidden);
  c.encoder_layers = r.get_or<int>("encoder_layers", 12, 1, io::kMaxLayers);
  c.decoder_layers = r.get_or<int>("decoder_layers", 12, 1, io::kMaxLayers);
  c.encoder_heads = r.get_or<int>("encoder_attention_heads", 16, 1, io::kMaxHeads);
  c.decoder_heads = r.get_or<int>("decoder_attention_heads", 16, 1, io::kMaxHeads);
  c.encoder_ffn = r.get_or<int>("encoder_ffn_dim", 4096, 1, io::kMaxHidden);
  c.decoder_ffn = r.get_or<int>("decoder_ffn_dim", 4096, 1, io::kMaxHidden);
  c.vocab_size = r.get_or<int>("vocab_size", 58101, 1, io::kMaxVocab);
  c.decoder_vocab_size = r.get_or<int>("decoder_vocab_size", static_cast<int>(c.vocab_size), 1, io::kMaxVocab);
  c.max_positions = r.get_or<int>("max_position_embeddings", 1024, 1, 1 << 20);
  c.activation = read_activation(r, "activation_function", Activation::kGelu);
  c.dropout = r.get_or<float>("dropout", 0.1f, 0, 0.99);
  c.attention_dropout = r.get_or<float>("attention_dropout", 0.0f, 0, 0.99);
  c.activation_dropout = r.get_or<float>("activation_dropout", 0.0f, 0, 0.99);
  c.scale_embedding = r.get_or("scale_embedding", false);
  c.share_embeddings = r.get_or("share_encoder_decoder_embeddings", true);
  c.tie_output = r.get_or("tie_word_embeddings", true);
  c.pad_id = r.get_or<int>("pad_token_id", 58100, 0, static_cast<int>(c.decoder_vocab_size) - 1);
  c.eos_id = r.get_or<int>("eos_token_id", 0, 0, static_cast<int>(c.decoder_vocab_size) - 1);
  c.decoder_start_id = r.get_or<int>("decoder_start_token_id", c.pad_id, 0, static_cast<int>(c.decoder_vocab_size) - 1);
  r.allow_only("encoder_layerdrop", 0.0);
  r.allow_only("decoder_layerdrop", 0.0);
  if (marian) {
    r.allow_only("normalize_before", false);
    r.allow_only("normalize_embedding", false);
    r.allow_only("static_position_embeddings", true);
    return c;
  }
  c.pre_norm = r.get_or("normalize_before", false);
  c.positions = r.get_enum_or("position_embedding_type", Positions::kSinusoidsInHalves,
                              {{"sinusoidal", Positions::kSinusoidsInHalves},
                               {"sinusoidal_interleaved", Positions::kSinusoidsInterleaved},
                               {"learned", Positions::kLearned}});
  return c;
}

std::string_view name_of(Positions positions) {
  switch (positions) {
    case Positions::kSinusoidsInHalves: return "sinusoidal";
    case Positions::kSinusoidsInterleaved: return "sinusoidal_interleaved";
    case Positions::kLearned: return "learned";
  }
  return "";
}

Json write_structure(const EncoderDecoderConfig& c) {
  const bool own = says_more_than_marian(c);
  Json j = {
      {"architectures", {own ? "HeedTransformer" : "MarianMTModel"}},
      {"model_type", own ? kHeed : kMarian},
      {"is_encoder_decoder", true},
      {"d_model", c.d_model},
      {"encoder_layers", c.encoder_layers},
      {"decoder_layers", c.decoder_layers},
      {"encoder_attention_heads", c.encoder_heads},
      {"decoder_attention_heads", c.decoder_heads},
      {"encoder_ffn_dim", c.encoder_ffn},
      {"decoder_ffn_dim", c.decoder_ffn},
      {"num_hidden_layers", c.encoder_layers},
      {"vocab_size", c.vocab_size},
      {"decoder_vocab_size", c.decoder_vocab_size},
      {"max_position_embeddings", c.max_positions},
      {"activation_function", activation_name(c.activation)},
      {"dropout", c.dropout},
      {"attention_dropout", c.attention_dropout},
      {"activation_dropout", c.activation_dropout},
      {"encoder_layerdrop", 0.0},
      {"decoder_layerdrop", 0.0},
      {"scale_embedding", c.scale_embedding},
      {"share_encoder_decoder_embeddings", c.share_embeddings},
      {"tie_word_embeddings", c.tie_output},
      {"static_position_embeddings", c.positions != Positions::kLearned},
      {"pad_token_id", c.pad_id},
      {"eos_token_id", c.eos_id},
      {"bos_token_id", nullptr},
      {"decoder_start_token_id", c.decoder_start_id},
      {"forced_eos_token_id", nullptr},
      {"init_std", 0.02},
      {"use_cache", true},
      {"torch_dtype", "float32"},
  };
  if (own) {
    j["normalize_before"] = c.pre_norm;
    j["position_embedding_type"] = name_of(c.positions);
  }
  // A float printed as a double shows its rounding: 0.1f as 0.10000000149.
  for (const char* key : {"dropout", "attention_dropout", "activation_dropout"})
    j[key] = std::stod(fmt::format("{}", j[key].get<float>()));
  return j;
}

Json new_generation_config(const EncoderDecoderConfig& c) {
  return {{"pad_token_id", c.pad_id},
          {"eos_token_id", c.eos_id},
          {"decoder_start_token_id", c.decoder_start_id},
          {"forced_eos_token_id", nullptr},
          {"bad_words_ids", {{c.pad_id}}},
          {"max_length", c.max_positions},
          {"num_beams", 5}};
}

}  // namespace

MarianModel::MarianModel(const EncoderDecoderConfig& structure, uint64_t seed)
    : EncoderDecoder(structure, seed, write_structure(structure)) {
  set_generation_config(new_generation_config(structure));
}

MarianModel::MarianModel(const EncoderDecoderConfig& structure, Json config, std::optional<uint64_t> seed)
    : EncoderDecoder(structure, seed, std::move(config)) {}

std::unique_ptr<Model> make_marian(const Json& config, const std::string& file, std::optional<uint64_t> seed) {
  return std::make_unique<MarianModel>(read_structure(config, file), config, seed);
}

}  // namespace heed::models
