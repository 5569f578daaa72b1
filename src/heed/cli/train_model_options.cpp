#include "heed/cli/train_model_options.h"

#include <algorithm>
#include <array>

namespace heed::cli {
namespace {

constexpr size_t kLargestVocabulary = size_t{1} << 22;
constexpr std::array kTokenizerKinds{"wordpiece", "byte-bpe", "unigram", "characters"};

bool is_kind(const std::string& text) {
  return std::find(kTokenizerKinds.begin(), kTokenizerKinds.end(), text) != kTokenizerKinds.end();
}

}  // namespace

void ModelOptions::add_to(Command& command, const std::string& positions, const std::string& positions_default) {
  Options& o = command.options();
  family_ = families_.front();
  positions_name_ = positions;
  o.section("Model");
  o.add("init", init_, "Begin with this model (fine-tuning) instead of a new one").value_name("FOLDER");
  o.add("family", family_, "What kind of model a new one is").choices(families_);
  o.add("layers", structure_.layers, "Layers; of an encoder and a decoder: of each").range(1, 1024);
  o.add("d-model", structure_.d_model, "Width of the model").range(1, 1 << 17);
  o.add("heads", structure_.heads, "Attention heads").range(1, 1024).default_text("a 64th of the width");
  if (kind_ == models::Kind::kCausal)
    o.add("kv-heads", structure_.kv_heads, "Heads of keys and values, which the others share")
        .range(1, 1024)
        .default_text("as many as heads");
  o.add("ffn", structure_.ffn, "Width inside the feed-forward layers").range(1, 1 << 17).default_text("the family's");
  o.add("dropout", structure_.dropout, "In all places where the family has it")
      .range(0, 0.99)
      .default_text(kind_ == models::Kind::kImage ? "0, with --init the model's" : "0.1, with --init the model's");
  tuning_.add_to(o);
  if (kind_ == models::Kind::kImage) {
    o.add("patch", structure_.patch, "Side of the squares that images are cut into").range(1, 1024);
    return;
  }
  o.add(positions, structure_.positions, "Tokens that a text may have")
      .range(1, 1 << 20)
      .default_text(positions_default.empty() ? std::to_string(structure_.position_count()) : positions_default);
  o.section("Tokenizer");
  o.add("tokenizer", tokenizer_, "Folder of one, or what to train: wordpiece, byte-bpe, unigram, characters")
      .default_text("the family's usual kind");
  o.add("vocab-size", vocab_size_, "Tokens of a trained one")
      .range(8, kLargestVocabulary)
      .default_text(fmt::format("{}; of characters: all", tasks::TokenizerChoice().vocab_size));
  o.add("lowercase", lowercase_, "Word pieces: lower-case text and remove its accents");
}

void ModelOptions::refuse_with_init(Command& command) const {
  if (init_.empty()) return;
  std::vector<std::string> names{"family", "layers", "d-model", "heads", "ffn"};
  if (kind_ == models::Kind::kCausal) names.emplace_back("kv-heads");
  if (kind_ == models::Kind::kImage) names.emplace_back("patch");
  else names.insert(names.end(), {positions_name_, "tokenizer", "vocab-size", "lowercase"});
  for (const std::string& name : names)
    check<UsageError>(!command.options().given(name), "--{} cannot be chosen with --init: the model has it", name);
}

// What of the tokenizer's options would do nothing.
void ModelOptions::refuse_with_tokenizer(Command& command, const tasks::TokenizerChoice& choice) const {
  if (kind_ == models::Kind::kImage) return;
  for (const char* name : {"vocab-size", "lowercase"})
    check<UsageError>(choice.folder.empty() || !command.options().given(name),
                      "--{} is for a tokenizer to train; that of {} has it", name, choice.folder.string());
  const std::string kind = choice.kind.empty() ? models::usual_tokenizer(family_) : choice.kind;
  check<UsageError>(kind == "wordpiece" || !command.options().given("lowercase"),
                    "--lowercase is for word pieces, not for a tokenizer of the kind {}", kind);
}

tasks::ModelStart ModelOptions::resolve(Command& command, const std::filesystem::path& resume) const {
  refuse_with_init(command);
  tasks::ModelStart start;
  start.init = init_;
  start.resume = resume;
  start.family = family_;
  start.structure = structure_;
  start.tuning = tuning_.resolve(command.options(), is_fine_tuning());
  start.seed = command.common().seed;
  start.tokenizer.lowercase = lowercase_;
  if (tokenizer_.empty() || is_kind(tokenizer_)) start.tokenizer.kind = tokenizer_;
  else start.tokenizer.folder = tokenizer_;
  const size_t usual = tokenizer_ == "characters" ? kLargestVocabulary : start.tokenizer.vocab_size;
  start.tokenizer.vocab_size = vocab_size_.value_or(usual);
  if (!init_.empty()) return start;
  refuse_with_tokenizer(command, start.tokenizer);
  models::check_sizes(structure_);
  return start;
}

}  // namespace heed::cli
