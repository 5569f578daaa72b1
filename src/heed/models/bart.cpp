#include "heed/models/bart.h"

#include <algorithm>

#include "heed/models/config_values.h"
#include "heed/models/encoder_decoder.h"
#include "heed/models/text_encoder_config.h"

namespace heed::models {
namespace {

constexpr Architecture kArchitectures[] = {
    {"BartForConditionalGeneration", Head::kNone},
    {"BartModel", Head::kNone},
    {"BartForSequenceClassification", Head::kSequenceClassification},
    {"BartForQuestionAnswering", Head::kQuestionAnswering},
};

EncoderDecoderConfig read_structure(const io::ConfigReader& r, const std::string& file) {
  EncoderDecoderConfig c = read_stacks(r);
  c.vocab_size = c.decoder_vocab_size = r.get_or<int>("vocab_size", 50265, 1, io::kMaxVocab);
  c.share_embeddings = c.tie_output = r.get_or("tie_word_embeddings", true);
  c.init_std = r.get_or<float>("init_std", 0.02f, 1e-6, 10);
  c.positions = Positions::kLearned;
  c.position_offset = 2;
  c.norm_embedding = true;
  c.pad_id = read_token_id(r, file, "pad_token_id", 1, c.vocab_size);
  c.eos_id = read_token_id(r, file, "eos_token_id", 2, c.vocab_size);
  c.decoder_start_id = read_token_id(r, file, "decoder_start_token_id", 2, c.vocab_size);
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

// Where nothing is tied, the shared matrix is one that nothing reads; folders hold it all the same.
void keep_shared(nn::ParameterStore& store, const std::string& prefix, const EncoderDecoderConfig& c) {
  if (!c.share_embeddings) store.create_constant(prefix + "shared.weight", {c.vocab_size, c.d_model});
}

// Both stacks over one text, which the decoder reads shifted by one.
class BothStacks final : public TextBody {
 public:
  BothStacks(nn::Builder& b, const std::string& prefix, const EncoderDecoderConfig& c) : stacks_(b, prefix, c) {
    keep_shared(b.store, prefix, c);
  }

  const ops::Weight& words() const override { return stacks_.target_words(); }
  int max_length() const override { return static_cast<int>(stacks_.structure().max_positions); }
  Tensor operator()(const TextBatch& batch, const ops::TokenRowsPtr& rows, const nn::Pass& pass) const override {
    const Tensor encoded = stacks_.encode(batch.ids, rows, batch.visible, pass);
    return stacks_.decode(batch.ids, rows, encoded, rows, batch.visible, pass);
  }
  // The last end-of-text token: the decoder has read all before it.
  std::vector<int32_t> whole(const TextBatch& batch) const override {
    std::vector<int32_t> places;
    for (int i = 0; i < batch.ids.rows(); ++i) {
      const auto row = batch.ids.row(i);
      const auto last = std::find(row.rbegin(), row.rend(), stacks_.structure().eos_id);
      check<DataError>(last != row.rend(), "a text without the end-of-text token {}", stacks_.structure().eos_id);
      places.push_back(batch.ids.offsets[static_cast<size_t>(i)] + static_cast<int32_t>(row.rend() - last) - 1);
    }
    return places;
  }

 private:
  EncoderDecoderStacks stacks_;
};

HeadConfig read_head(const io::ConfigReader& r, const std::string& file, Head kind) {
  HeadConfig head;
  head.kind = kind;
  if (kind == Head::kSequenceClassification) {
    head.classes = read_classification(r, file, 3);
    head.dropout_before = head.dropout_after = read_rate(r, "classifier_dropout", 0);
    head.dense = "classification_head.dense";
    head.activation = Activation::kTanh;
    head.output = "classification_head.out_proj";
  } else if (kind == Head::kQuestionAnswering) {
    head.output = "qa_outputs";
  }
  return head;
}

std::unique_ptr<Model> make_reader(const EncoderDecoderConfig& c, const HeadConfig& head, const Json& config,
                                   std::optional<uint64_t> seed) {
  const std::string prefix = head.kind == Head::kNone ? "" : "model.";
  WeightRules rules = weight_rules_of(c, prefix);
  rules.ignored = [marks = rules.ignored](const std::string& name) {
    return marks(name) || name == "final_logits_bias" || name == "lm_head.weight";  // of a model that writes
  };
  const auto body = [&](nn::Builder& b) { return std::make_unique<BothStacks>(b, prefix, c); };
  return std::make_unique<EncoderWithHead>(body, head, std::move(rules), config, seed);
}

}  // namespace

std::unique_ptr<Model> make_bart(const Json& config, const std::string& file, std::optional<uint64_t> seed) {
  const io::ConfigReader r(config, file);
  const auto [name, kind] = read_architecture(r, file, kArchitectures);
  const EncoderDecoderConfig c = read_structure(r, file);
  if (name != kArchitectures[0].first) return make_reader(c, read_head(r, file, kind), config, seed);
  auto model = std::make_unique<EncoderDecoder>(c, seed, config);
  keep_shared(model->parameters(), "model.", c);
  return model;
}

Json new_bart(const NewModel& m) {
  check<UsageError>(m.ids.pad >= 0 && m.ids.eos >= 0,
                    "this family needs a tokenizer with a padding token and an end-of-text token");
  Json config{{"model_type", "bart"},
              {"architectures", {architecture_for(m.head, kArchitectures)}},
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
