// Writes the seed corpus of sentencepiece_model_fuzz: heed_fuzz_sentencepiece_model_seeds OUTPUT_FOLDER MODEL_FILE...
//
// Each model file is taken as it is, and again with its first 40 pieces only, of each model type, with and without its
// character map and with bytes, because a fuzzer learns little from files of hundreds of kilobytes.
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <filesystem>

#include "heed/base/files.h"
#include "heed/text/sentencepiece_model.h"
#include "text/model_bytes.h"

namespace {

using heed::text::PieceType;
using heed::text::SegmentationType;
using heed::text::SentencePieceModel;

void write_seeds(const std::filesystem::path& file, const std::filesystem::path& folder) {
  const SentencePieceModel model = heed::text::read_sentencepiece_model(file);
  const std::string stem = file.stem().string();
  heed::write_file_atomically(folder / stem, model.raw);
  for (int type = 1; type <= 4; ++type) {
    for (const bool with_map : {false, true}) {
      SentencePieceModel small = model;
      small.pieces.resize(std::min<size_t>(small.pieces.size(), 40));
      small.pieces.push_back({"[sep]", 0, PieceType::kUserDefined});
      small.pieces.back().type = PieceType::kUserDefined;
      small.pieces[small.pieces.size() / 2].type = PieceType::kUnused;
      small.type = static_cast<SegmentationType>(type);
      if (!with_map) small.normalizer.precompiled_charsmap.clear();
      small.byte_fallback = !with_map && type <= 2;
      if (small.byte_fallback)
        for (int byte = 0; byte < 256; ++byte)
          small.pieces.push_back({fmt::format("<0x{:02X}>", byte), 0, PieceType::kByte});
      heed::write_file_atomically(folder / fmt::format("{}.{}{}", stem, type, with_map ? ".map" : ""),
                                  heed::testing::model_bytes(small));
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc < 3) throw std::runtime_error("usage: heed_fuzz_sentencepiece_model_seeds OUTPUT_FOLDER MODEL_FILE...");
    std::filesystem::create_directories(argv[1]);
    for (int i = 2; i < argc; ++i) write_seeds(argv[i], argv[1]);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
