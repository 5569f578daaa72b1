// heed fill-mask: lines with masks in, the likeliest tokens out, in order.
#include <algorithm>

#include "heed/cli/commands.h"
#include "heed/cli/text_rows.h"
#include "heed/tasks/masked_lm.h"

namespace heed::cli {
namespace {

using Fillings = std::vector<std::vector<tasks::Filling>>;  // of each mask

void write(Command& command, const Fillings& masks) {
  if (command.common().json) {
    Json line{{"masks", Json::array()}};
    for (const auto& fillings : masks) {
      Json mask = Json::array();
      for (const tasks::Filling& f : fillings)
        mask.push_back({{"token", f.token}, {"id", f.id}, {"score", f.score}, {"text", f.text}});
      line["masks"].push_back(std::move(mask));
    }
    return command.output().line(json_line(line));
  }
  std::string line;
  for (const auto& fillings : masks)
    for (const tasks::Filling& f : fillings)
      line += fmt::format("{}{}\t{:.4f}", line.empty() ? "" : "\t", f.token, f.score);
  command.output().line(line);
}

}  // namespace

int run_fill_mask(Command& command) {
  std::filesystem::path folder;
  size_t top_k = 5;
  command.about(
      "Says what may stand in place of each mask token ([MASK], <mask>) of each line of standard input (or of a file): "
      "tokens and their probabilities with tabs between them, best first, mask by mask. Line n of the output is line n "
      "of the input.");
  command.example("echo 'A dog [MASK] across the grass.' | heed fill-mask --model model/", "the five likeliest words");
  command.options().add("model", folder, "Folder of the model").required();
  command.options().add("top-k", top_k, "Tokens for each mask").range(1, 100000);
  TextRows rows(command);
  command.parse();

  const auto filler = tasks::MaskFiller::load(folder, command.load_options());
  const auto most = static_cast<size_t>(filler.model->max_length());
  rows.run(
      [&](const std::string& line) {
        auto tokens = filler.tokenizer->tokenize(line);
        check<DataError>(std::ranges::count(tokens.ids, filler.tokenizer->mask_id()) > 0, "the text has no {}",
                         filler.mask());
        check<DataError>(tokens.ids.size() <= most, "the text has {} tokens, the model takes {}", tokens.ids.size(),
                         most);
        return tokens;
      },
      [&](const std::vector<text::TokenizedText>& texts) { return filler.fill(texts, top_k, rows.batch_size()); },
      [&](const text::TokenizedText&, const Fillings& masks) { write(command, masks); });
  return kOk;
}

}  // namespace heed::cli
