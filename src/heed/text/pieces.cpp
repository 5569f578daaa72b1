#include "heed/text/pieces.h"

namespace heed::text {
namespace {

Trie make_trie(const SentencePieceModel& model, bool symbols_only) {
  std::vector<Trie::Entry> entries;
  if (!symbols_only) entries.reserve(model.pieces.size());
  for (size_t i = 0; i < model.pieces.size(); ++i)
    if (!symbols_only || model.pieces[i].type == PieceType::kUserDefined)
      entries.push_back({model.pieces[i].text, static_cast<int32_t>(i)});
  return Trie(std::move(entries));
}

}  // namespace

Pieces::Pieces(const SentencePieceModel& model)
    : model_(&model), trie_(make_trie(model, false)), symbols_(std::make_shared<const Trie>(make_trie(model, true))) {}

}  // namespace heed::text
