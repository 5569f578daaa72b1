// A SentencePiece model at work: text to pieces and ids and back, with the ids, pieces and texts of libsentencepiece.
//
// A cheap handle to an immutable model: copies share it, and all functions may be called from several threads. Encoding
// takes linear time (BPE: n log n) and, per text, no allocation but that of its result. Text may be any bytes;
// malformed UTF-8 counts as U+FFFD. (Kudo and Richardson, "SentencePiece", EMNLP 2018.)
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "heed/base/random.h"
#include "heed/text/segmenter.h"
#include "heed/text/sentencepiece_model.h"

namespace heed::text {

// A text cut into pieces. To be kept and passed again, so that its buffers are used again.
struct Encoding {
  struct Token {
    int32_t id;
    std::string_view text;  // in `normalized`, or the name of a byte piece
  };
  std::string normalized;
  std::vector<Token> tokens;
};

class SentencePiece {
 public:
  // Throws IoError, FormatError.
  static SentencePiece load(const std::filesystem::path& file);

  // From the bytes of a `.model` file; `name` is what messages call it. Throws FormatError.
  static SentencePiece from_bytes(std::string bytes, const std::string& name);

  // The best segmentation. Neighbouring unknown characters become one unknown token, or, with byte fallback, bytes.
  // Throws DataError for a text that is longer than 1 GiB once normalised.
  std::vector<int32_t> encode(std::string_view text) const;
  std::vector<std::string> encode_as_pieces(std::string_view text) const;
  void encode(std::string_view text, Encoding& encoding) const;

  // A segmentation drawn by `random` (see Sampling), a pure function of the arguments. Throws also UsageError, for
  // sampling options out of range and model types that cannot sample.
  std::vector<int32_t> sample(std::string_view text, double alpha, int nbest_size, Random& random) const;
  void sample(std::string_view text, const Sampling& sampling, Random& random, Encoding& encoding) const;

  // The text of ids or pieces: special pieces vanish, unknown ones become unk_surface() (or stay, where a piece is not
  // of this model), malformed bytes become U+FFFD. Throws UsageError for an id outside [0, size()).
  std::string decode(std::span<const int32_t> ids) const;
  std::string decode_pieces(std::span<const std::string_view> pieces) const;

  int32_t size() const;
  // Throws UsageError for an id outside [0, size()).
  const std::string& piece(int32_t id) const;
  PieceType type(int32_t id) const;
  // The id of exactly this piece, if there is one.
  std::optional<int32_t> id(std::string_view piece) const;

  // -1: the model has none (it always has unk_id).
  int32_t unk_id() const;
  int32_t bos_id() const;
  int32_t eos_id() const;
  int32_t pad_id() const;

  const SentencePieceModel& model() const;
  // The bytes of the `.model` file.
  const std::string& bytes() const { return model().raw; }

 private:
  struct State;
  explicit SentencePiece(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  void collect(const std::vector<Segment>& segments, Encoding& encoding) const;
  template <class Segment>
  void run(std::string_view text, Encoding& encoding, Segment&& segment) const;

  std::shared_ptr<const State> state_;
};

}  // namespace heed::text
