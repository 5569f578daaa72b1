#include "heed/base/error.h"
#include "heed/text/marian_tokenizer.h"
#include "heed/text/pipeline_tokenizer.h"
#include "heed/text/tokenizer.h"
#include "heed/text/tokenizer_files.h"

namespace heed::text {

std::shared_ptr<const Tokenizer> load_tokenizer(const std::filesystem::path& folder) {
  if (std::filesystem::exists(folder / "tokenizer.json")) return PipelineTokenizer::load(folder);
  if (MarianTokenizer::is_in(folder)) return std::make_shared<MarianTokenizer>(MarianTokenizer::load(folder));
  if (auto files = read_tokenizer_files(folder))
    return PipelineTokenizer::from_json(std::move(files->tokenizer), std::move(files->config), folder.string());
  fail<FormatError>(
      "{}: expected a tokenizer: tokenizer.json; or source.spm, target.spm and vocab.json; or vocab.json and "
      "merges.txt; or vocab.txt; or spiece.model; or tokenizer.model; none is there",
      folder.string());
}

}  // namespace heed::text
