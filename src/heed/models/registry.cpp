#include "heed/models/registry.h"

#include <fmt/ranges.h>

#include "heed/io/config_reader.h"
#include "heed/models/marian.h"

namespace heed::models {
namespace {

struct Seq2SeqFamily {
  std::string_view model_type;
  std::unique_ptr<Seq2SeqModel> (*load)(const io::ModelFolder&);
};

constexpr Seq2SeqFamily kSeq2SeqFamilies[] = {
    {"marian", [](const io::ModelFolder& f) -> std::unique_ptr<Seq2SeqModel> { return MarianModel::load(f); }},
    {"heed-transformer",
     [](const io::ModelFolder& f) -> std::unique_ptr<Seq2SeqModel> { return MarianModel::load(f); }},
};

}  // namespace

std::unique_ptr<Seq2SeqModel> load_seq2seq(const io::ModelFolder& folder) {
  const std::string file = (folder.path() / "config.json").string();
  const std::string type = io::ConfigReader(folder.config(), file).require_string("model_type");
  std::vector<std::string_view> known;
  for (const auto& family : kSeq2SeqFamilies) {
    if (family.model_type == type) return family.load(folder);
    known.push_back(family.model_type);
  }
  fail<ConfigError>("{}: model_type is \"{}\"; encoder-decoders that Heed reads are {}", file, type,
                    fmt::join(known, ", "));
}

}  // namespace heed::models
