// How a training comes to its model and tokenizer: a new one of a family, with a tokenizer trained on the text or taken
// from a folder; the model of a folder, perhaps with another head; or the training's own output, to go on with it.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "heed/models/registry.h"
#include "heed/tasks/tuning.h"
#include "heed/text/tokenizer.h"

namespace heed::tasks {

// Which tokenizer a new model gets.
struct TokenizerChoice {
  std::filesystem::path folder;  // an existing one; empty: trained
  std::string kind;  // of one to train: "wordpiece", "byte-bpe", "unigram", "characters"; empty: the family's
  size_t vocab_size = 8000;
  bool lowercase = true;                    // word pieces
  std::vector<std::string> special_tokens;  // further ones
};

struct ModelStart {
  std::filesystem::path init;    // a model folder to begin with; empty: a new model
  std::filesystem::path resume;  // a training's output to go on with
  std::string family;            // of a new model
  models::NewModel structure;    // of a new model; of `init` the dropout alone
  TokenizerChoice tokenizer;
  Tuning tuning;      // of `init`
  uint64_t seed = 1;  // of initial values

  // The folder that is read; empty: none.
  const std::filesystem::path& from() const { return resume.empty() ? init : resume; }
};

// The text that a tokenizer is trained on, piece by piece; what ends a line is part of the piece if it shall have a
// token.
using TextPieces = std::function<void(const std::function<void(std::string_view)>& piece)>;

// A tokenizer, of a folder or new, and what writes its files, which are held in memory, into another folder.
struct FolderTokenizer {
  std::shared_ptr<const text::Tokenizer> tokenizer;
  std::function<void(const std::filesystem::path& folder)> save;
};
FolderTokenizer tokenizer_of(const std::filesystem::path& folder);

struct StartedModel {
  std::shared_ptr<models::Model> model;
  std::shared_ptr<const text::Tokenizer> tokenizer;  // of text models
  std::shared_ptr<models::Lora> lora;                // nullptr: none
  std::filesystem::path base;                        // what the adapters are for
  // Writes into a folder what tells how inputs are made, such as the tokenizer's files.
  std::function<void(const std::filesystem::path& folder)> save_inputs;

  // The model's folder as it is now; with adapters, they are merged, and stand in its folder adapter/ besides.
  io::ModelContent content() const;
};

// `wanted`: head, labels and problem of the model; its sizes are those of `start`. Throws what tokenizers and models
// throw, and UsageError if the tokenizer has ids that the model has not.
StartedModel start_model(const ModelStart& start, models::NewModel wanted, const TextPieces& text);
// The same without tokenizer and save_inputs; `wanted` is all of the model.
StartedModel start_model_alone(const ModelStart& start, const models::NewModel& wanted);

// The labels of the model that is begun with, if it has the head that `architecture` ends with, such as
// "ForTokenClassification"; else none.
std::vector<std::string> known_labels(const ModelStart& start, std::string_view architecture);
// The labels that such a head shall have: those known if they are all that occur, else those that occur.
std::vector<std::string> labels_for(const ModelStart& start, std::string_view architecture,
                                    std::vector<std::string> occurring);

// start_model()'s where the task knows the kind of its model. Throws ConfigError if the folder holds another.
template <class Interface>
std::shared_ptr<Interface> model_as(const StartedModel& started) {
  auto model = std::dynamic_pointer_cast<Interface>(started.model);
  check<ConfigError>(model != nullptr, "the folder holds {}, where {} is wanted", models::kind_of(*started.model),
                     Interface::kKind);
  return model;
}

// What must be the same when a training is resumed, by option: where the model and the tokenizer came from.
Json identity_of(const ModelStart& start);

}  // namespace heed::tasks
