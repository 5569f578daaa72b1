#include "heed/models/bart.h"

#include "heed/models/config_values.h"
#include "heed/nn/initialization.h"

namespace heed::models {
namespace {

constexpr const char* kShared = "model.shared.weight";

void check_head(const io::ConfigReader& r, const std::string& file) {
  for (const std::string& name : r.strings("architectures"))
    check<ConfigError>(name == "BartForConditionalGeneration",
                       "{}: architectures is \"{}\"; of this family Heed reads BartForConditionalGeneration", file,
                       name);
}

EncoderDecoderConfig read_structure(const Json& json, const std::string& file) {
  const io::ConfigReader r(json, file);
  check_head(r, file);
  EncoderDecoderConfig c;
  c.d_model = r.get_or<int>("d_model", 1024, 1, io::kMaxHidden);
  c.encoder_layers = r.get_or<int>("encoder_layers", 12, 1, io::kMaxLayers);
  c.decoder_layers = r.get_or<int>("decoder_layers", 12, 1, io::kMaxLayers);
  c.encoder_heads = r.get_or<int>("encoder_attention_heads", 16, 1, io::kMaxHeads);
  c.decoder_heads = r.get_or<int>("decoder_attention_heads", 16, 1, io::kMaxHeads);
  c.encoder_ffn = r.get_or<int>("encoder_ffn_dim", 4096, 1, io::kMaxHidden);
  c.decoder_ffn = r.get_or<int>("decoder_ffn_dim", 4096, 1, io::kMaxHidden);
  c.vocab_size = c.decoder_vocab_size = r.get_or<int>("vocab_size", 50265, 1, io::kMaxVocab);
  c.max_positions = r.get_or<int>("max_position_embeddings", 1024, 1, 1 << 20);
  c.activation = read_activation(r, "activation_function", Activation::kGelu);
  c.dropout = r.get_or<float>("dropout", 0.1f, 0, 0.99);
  c.attention_dropout = r.get_or<float>("attention_dropout", 0.0f, 0, 0.99);
  c.activation_dropout = r.get_or<float>("activation_dropout", 0.0f, 0, 0.99);
  c.scale_embedding = r.get_or("scale_embedding", false);
  c.share_embeddings = c.tie_output = r.get_or("tie_word_embeddings", true);
  c.init_std = r.get_or<float>("init_std", 0.02f, 1e-6, 10);
  c.positions = Positions::kLearned;
  c.position_offset = 2;
  c.norm_embedding = true;
  c.pad_id = read_token_id(r, file, "pad_token_id", 1, c.vocab_size);
  c.eos_id = read_token_id(r, file, "eos_token_id", 2, c.vocab_size);
  c.decoder_start_id = read_token_id(r, file, "decoder_start_token_id", 2, c.vocab_size);
  r.allow_only("encoder_layerdrop", 0.0);
  r.allow_only("decoder_layerdrop", 0.0);
  r.allow_only("is_encoder_decoder", true);
  r.allow_only("is_decoder", false);
  // Of folders from before transformers had a family for each: what these keys say has become other families.
  r.allow_only("normalize_before", false);
  r.allow_only("normalize_embedding", true);
  r.allow_only("add_final_layer_norm", false);
  r.allow_only("static_position_embeddings", false);
  r.allow_only("extra_pos_embeddings", 2);
  return c;
}

// Marks of fairseq's checkpoints.
bool known_but_not_held(const std::string& name) {
  return name == "model.encoder.version" || name == "model.decoder.version";
}

}  // namespace

BartModel::BartModel(const EncoderDecoderConfig& structure, Json config, std::optional<uint64_t> seed)
    : EncoderDecoder(structure, seed, std::move(config)) {
  // Where nothing is tied, the shared matrix is a matrix that nothing reads; folders hold it all the same.
  if (!structure.share_embeddings) parameters().create_constant(kShared, {structure.vocab_size, structure.d_model});
}

WeightRules BartModel::weight_rules() const {
  WeightRules rules{[](const std::string& name) { return name == "final_logits_bias"; }, known_but_not_held};
  for (const char* copy : {"model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight", "lm_head.weight"})
    rules.tied.emplace_back(copy, "model.shared.weight");
  return rules;
}

std::unique_ptr<Model> make_bart(const Json& config, const std::string& file, std::optional<uint64_t> seed) {
  return std::make_unique<BartModel>(read_structure(config, file), config, seed);
}

Json new_bart(const NewModel& m) {
  check<UsageError>(m.ids.pad >= 0 && m.ids.eos >= 0,
                    "this family needs a tokenizer with a padding token and an end-of-text token");
  Json config{{"model_type", "bart"},
              {"architectures", {"BartForConditionalGeneration"}},
              {"vocab_size", m.vocab},
              {"d_model", m.d_model},
              {"encoder_layers", m.layers},
              {"decoder_layers", m.layers},
              {"encoder_attention_heads", m.head_count()},
              {"decoder_attention_heads", m.head_count()},
              {"encoder_ffn_dim", m.ffn_width()},
              {"decoder_ffn_dim", m.ffn_width()},
              {"max_position_embeddings", m.position_count()},
              {"activation_function", "gelu"},
              {"dropout", m.dropout_rate()},
              {"attention_dropout", 0.0},
              {"activation_dropout", 0.0},
              {"init_std", 0.02},
              {"scale_embedding", false},
              {"is_encoder_decoder", true},
              {"tie_word_embeddings", true},
              {"decoder_start_token_id", m.ids.eos},
              {"forced_eos_token_id", m.ids.eos}};
  write_ids(config, m.ids);
  return config;
}

}  // namespace heed::models
