#include "heed/tasks/model_start.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "heed/base/files.h"
#include "heed/base/log.h"
#include "heed/io/config_reader.h"
#include "heed/models/classification.h"
#include "heed/models/save.h"
#include "heed/text/pipeline_tokenizer.h"
#include "heed/text/tokenizer_trainer.h"

namespace heed::tasks {
namespace fs = std::filesystem;
namespace {

text::TokenizerKind kind_named(const std::string& name) {
  static const std::map<std::string, text::TokenizerKind> kKinds{{"wordpiece", text::TokenizerKind::kWordPiece},
                                                                 {"byte-bpe", text::TokenizerKind::kByteBpe},
                                                                 {"unigram", text::TokenizerKind::kUnigram},
                                                                 {"characters", text::TokenizerKind::kCharacters}};
  const auto kind = kKinds.find(name);
  check<UsageError>(kind != kKinds.end(), "there is no kind of tokenizer \"{}\"", name);
  return kind->second;
}

FolderTokenizer train_tokenizer(const TokenizerChoice& choice, const std::string& kind, const TextPieces& text) {
  text::TokenizerTrainOptions options;
  options.kind = kind_named(kind);
  options.vocab_size = choice.vocab_size;
  options.lowercase = choice.lowercase;
  options.special_tokens = choice.special_tokens;
  text::TokenizerTrainer trainer(options);
  text([&](std::string_view piece) { trainer.add(piece); });
  auto trained = std::make_shared<text::TrainedTokenizer>(trainer.train());
  log().info("tokenizer: {}, {} tokens, trained on the text", kind, trained->tokens);
  return {text::PipelineTokenizer::from_json(trained->tokenizer, trained->config, "the trained tokenizer"),
          [trained](const fs::path& folder) { text::save_tokenizer(*trained, folder); }};
}

}  // namespace

FolderTokenizer tokenizer_of(const fs::path& folder) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const std::string& name : models::input_files())
    if (fs::exists(folder / name)) files.emplace_back(name, read_file(folder / name));
  return {text::load_tokenizer(folder), [files](const fs::path& to) {
            for (const auto& [name, bytes] : files) write_file_atomically(to / name, bytes);
          }};
}

io::ModelContent StartedModel::content() const {
  io::ModelContent content = models::content_of(*model, nullptr);
  content.add_files = save_inputs;
  return with_adapters(std::move(content), lora, base);
}

StartedModel start_model(const ModelStart& start, models::NewModel wanted, const TextPieces& text) {
  const TokenizerChoice& choice = start.tokenizer;
  const fs::path& folder = start.from().empty() ? choice.folder : start.from();
  const std::string kind = choice.kind.empty() && folder.empty() ? models::usual_tokenizer(start.family) : choice.kind;
  FolderTokenizer inputs = folder.empty() ? train_tokenizer(choice, kind, text) : tokenizer_of(folder);

  models::NewModel m = start.structure;
  m.head = wanted.head;
  m.labels = std::move(wanted.labels);
  m.problem = wanted.problem;
  const text::Tokenizer& tokenizer = *inputs.tokenizer;
  m.vocab = tokenizer.vocab_size();
  m.ids = {tokenizer.pad_id(), tokenizer.bos_id(), tokenizer.eos_id()};
  StartedModel result = start_model_alone(start, m);
  result.tokenizer = std::move(inputs.tokenizer);
  result.save_inputs = std::move(inputs.save);
  return result;
}

StartedModel start_model_alone(const ModelStart& start, const models::NewModel& wanted) {
  StartedModel result;
  if (start.from().empty()) {
    Json config = models::new_config(start.family, wanted);
    if (!wanted.labels.empty()) models::write_classes(config, wanted.labels, wanted.problem);
    result.model = models::make_model(config, "the new model", start.seed);
    return result;
  }
  models::WithHead loaded = models::load_with_head(io::ModelFolder::open(start.from()), wanted, start.seed);
  result.model = std::move(loaded.model);
  if (!loaded.fresh.empty()) log().info("new parameters: {}", fmt::join(loaded.fresh, ", "));
  // What adapters leave to be trained whole is what `init` lacked, though `resume` has it.
  if (start.tuning.lora.rank > 0 && !start.resume.empty())
    loaded.fresh = models::load_with_head(io::ModelFolder::open(start.init), wanted, start.seed).fresh;
  result.lora = tune(*result.model, start.tuning, loaded.fresh, start.seed);
  result.base = start.init;
  return result;
}

std::vector<std::string> known_labels(const ModelStart& start, std::string_view architecture) {
  if (start.from().empty()) return {};
  const Json config = io::ModelFolder::open(start.from()).config();
  const std::string file = (start.from() / "config.json").string();
  const io::ConfigReader reader(config, file);
  const std::vector<std::string> architectures = reader.strings("architectures");
  if (architectures.empty() || !architectures.front().ends_with(architecture)) return {};
  return models::read_classification(reader, file).labels;
}

std::vector<std::string> labels_for(const ModelStart& start, std::string_view architecture,
                                    std::vector<std::string> occurring) {
  std::vector<std::string> known = known_labels(start, architecture);
  const bool knows_all = std::ranges::all_of(
      occurring, [&](const std::string& label) { return std::ranges::find(known, label) != known.end(); });
  return knows_all ? known : occurring;
}

Json identity_of(const ModelStart& start) {
  const auto path = [](const fs::path& p) { return p.empty() ? "" : fs::absolute(p).lexically_normal().string(); };
  Json json{{"init", path(start.init)}, {"tokenizer", path(start.tokenizer.folder)}};
  const std::optional<float> dropout = start.structure.dropout;
  json["dropout"] = dropout ? Json(std::stod(fmt::format("{}", *dropout))) : Json("the model's own");  // 0.1, not 0.1f
  if (!start.init.empty()) {
    json.update(identity_of(start.tuning));
    return json;
  }
  const models::NewModel& m = start.structure;
  json["family"] = start.family;
  json["layers"] = m.layers;
  json["d-model"] = m.d_model;
  json["heads"] = m.head_count();
  json["kv-heads"] = m.kv_heads.value_or(m.head_count());
  json["ffn"] = m.ffn_width();
  json["positions"] = m.position_count();
  if (!start.tokenizer.folder.empty()) return json;
  json["vocab-size"] = start.tokenizer.vocab_size;
  json["tokenizer-kind"] = start.tokenizer.kind;
  json["lowercase"] = start.tokenizer.lowercase;
  return json;
}

}  // namespace heed::tasks
