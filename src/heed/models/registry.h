// The table of model families: which code reads a folder, by the model_type of its config.json.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "heed/base/error.h"
#include "heed/io/model_folder.h"
#include "heed/models/interface.h"
#include "heed/models/new_model.h"

namespace heed::models {

// The values of model_type that Heed reads, sorted.
std::vector<std::string> model_types();

// What kinds of families there are.
enum class Kind : uint8_t { kSeq2Seq, kCausal, kEncoder, kImage };

// The families of a kind that new models can be made of, the usual one first.
std::vector<std::string> families_of(Kind kind);

// The configuration of a new model, every field given. Throws UsageError if its sizes do not fit each other or the
// family has no such head.
Json new_config(const std::string& family, const NewModel& wanted);

// The kind of tokenizer that models of a family usually have: "wordpiece", "byte-bpe" or "unigram".
std::string usual_tokenizer(const std::string& family);

// A model of this configuration, its head named by "architectures", with new parameters drawn from `seed`, or, without
// one, parameters that are still to be filled. `file` is what errors call the configuration. Throws ConfigError naming
// the key if model_type is none that Heed knows or a value is not supported.
std::unique_ptr<Model> make_model(const Json& config, const std::string& file, std::optional<uint64_t> seed);

// The model in `folder`, adapters merged, ready for use: for training, or as the options say. Throws ConfigError, and
// FormatError naming missing or unexpected tensors.
std::unique_ptr<Model> load_model(const io::ModelFolder& folder, const LoadOptions& options = {});

// The model in `folder` with the head that `wanted` names (and, if wanted.dropout is given, other rates of dropout):
// what lies in the folder is loaded, the rest (of another head, or of one with other labels) is drawn from `seed`.
struct WithHead {
  std::unique_ptr<Model> model;
  std::vector<std::string> fresh;  // the parameters that are new
};
// Throws as load_model(): only what belongs to the head may be missing.
WithHead load_with_head(const io::ModelFolder& folder, const NewModel& wanted, uint64_t seed);

// The same as load_model(), where one kind of model is wanted. Throws ConfigError saying what the folder holds if it is
// another.
template <class Interface>
std::unique_ptr<Interface> load_as(const io::ModelFolder& folder, const LoadOptions& options = {});

std::unique_ptr<Seq2SeqModel> load_seq2seq(const io::ModelFolder& folder, const LoadOptions& options = {});

// The kind of a model for messages: "a causal language model".
const char* kind_of(const Model& model);

template <class Interface>
std::unique_ptr<Interface> load_as(const io::ModelFolder& folder, const LoadOptions& options) {
  std::unique_ptr<Model> model = load_model(folder, options);
  auto* wanted = dynamic_cast<Interface*>(model.get());
  check<ConfigError>(wanted != nullptr, "{}: holds {}, where {} is wanted", folder.path().string(), kind_of(*model),
                     Interface::kKind);
  static_cast<void>(model.release());
  return std::unique_ptr<Interface>(wanted);
}

}  // namespace heed::models
