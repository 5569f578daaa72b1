#include "heed/text/segmenter.h"

#include "heed/base/error.h"
#include "heed/text/bpe.h"
#include "heed/text/unigram.h"

namespace heed::text {
namespace {

// One piece per word: a new word begins at every U+2581.
class WordSegmenter : public Segmenter {
 public:
  explicit WordSegmenter(const Pieces& pieces) : pieces_(pieces) {}

  void segment(std::string_view text, std::vector<Segment>& out) const override {
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find(kSpaceSymbol, begin + 1), text.size());
      const std::string_view word = text.substr(begin, end - begin);
      out.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(word.size()), pieces_.id_of_text(word)});
      begin = end;
    }
  }

  void sample(std::string_view, const Sampling&, Random&, std::vector<Segment>&) const override {
    fail<UsageError>("{}: a word model has one segmentation only and cannot sample", pieces_.model().name);
  }

 private:
  const Pieces& pieces_;
};

// One piece per character; user-defined symbols stay whole.
class CharacterSegmenter : public Segmenter {
 public:
  explicit CharacterSegmenter(const Pieces& pieces) : pieces_(pieces) {}

  void segment(std::string_view text, std::vector<Segment>& out) const override {
    for (size_t begin = 0; begin < text.size();) {
      const std::string_view rest = text.substr(begin);
      size_t length = pieces_.symbols()->longest_prefix(rest);
      if (length == 0) length = character_length(rest);
      out.push_back(
          {static_cast<uint32_t>(begin), static_cast<uint32_t>(length), pieces_.id_of_text(rest.substr(0, length))});
      begin += length;
    }
  }

  void sample(std::string_view, const Sampling&, Random&, std::vector<Segment>&) const override {
    fail<UsageError>("{}: a character model has one segmentation only and cannot sample", pieces_.model().name);
  }

 private:
  const Pieces& pieces_;
};

}  // namespace

std::unique_ptr<Segmenter> make_segmenter(const Pieces& pieces) {
  switch (pieces.model().type) {
    case SegmentationType::kUnigram: return std::make_unique<Unigram>(pieces);
    case SegmentationType::kBpe: return std::make_unique<Bpe>(pieces);
    case SegmentationType::kWord: return std::make_unique<WordSegmenter>(pieces);
    case SegmentationType::kCharacter: return std::make_unique<CharacterSegmenter>(pieces);
  }
  fail<FormatError>("{}: unknown model type", pieces.model().name);
}

}  // namespace heed::text
