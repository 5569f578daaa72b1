#include "heed/text/post_processors.h"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>
#include <utility>

#include "heed/text/normalizers.h"

namespace heed::text::pipeline {
namespace {

constexpr int64_t kMaxId = INT32_MAX;
constexpr int64_t kMaxType = INT32_MAX;
constexpr size_t kMaxPieces = 1000;

// Takes the white space out of the spans of tokens, but for the one space that add_prefix_space may have put before
// the text.
void trim(Encoding& encoding, bool add_prefix_space) {
  if (encoding.only_ids) return;
  for (size_t i = 0; i < encoding.spaces.size(); ++i) {
    auto [leading, trailing] = encoding.spaces[i];
    CharacterSpan& span = encoding.characters[i];
    if (leading > 0) {
      if ((i == 0 || span.begin == 0) && add_prefix_space && leading == 1) leading = 0;
      span.begin = std::min(span.begin + leading, span.end);
    }
    if (trailing > 0 && span.end >= trailing) span.end = std::max(span.end - trailing, span.begin);
  }
}

int32_t read_id(const JsonPart& part) { return static_cast<int32_t>(part.integer(0, kMaxId)); }

// A special token as ["</s>", 2].
int32_t read_token_pair(const JsonPart& part) {
  if (part.array().size() != 2) part.refuse("a token and its id");
  part.item(0).string();
  return read_id(part.item(1));
}

class ByteLevel : public PostProcessor {
 public:
  explicit ByteLevel(const JsonPart& part)
      : prefix_(part.boolean("add_prefix_space", true)), trims_(part.boolean("trim_offsets", true)) {}

  void apply(std::vector<Encoding>& parts, bool) const override {
    if (trims_)
      for (Encoding& part : parts) trim(part, prefix_);
  }
  size_t added(bool) const override { return 0; }
  bool trims() const override { return trims_; }

 private:
  bool prefix_, trims_;
};

class BertProcessing : public PostProcessor {
 public:
  explicit BertProcessing(const JsonPart& part)
      : sep_(read_token_pair(part.at("sep"))), cls_(read_token_pair(part.at("cls"))) {}

  void apply(std::vector<Encoding>& parts, bool special) const override {
    if (!special) return;
    for (size_t i = 0; i < parts.size(); ++i) {
      const bool spaces = !parts[i].spaces.empty();
      Encoding joined;
      joined.only_ids = parts[i].only_ids;
      if (i == 0) joined.add_special(cls_, 0, spaces);
      joined.append(parts[i]);
      joined.add_special(sep_, i == 0 ? 0 : 1, spaces);
      parts[i] = std::move(joined);
    }
  }
  size_t added(bool pair) const override { return pair ? 3 : 2; }
  bool takes_texts() const override { return true; }

 private:
  int32_t sep_, cls_;
};

class RobertaProcessing : public PostProcessor {
 public:
  explicit RobertaProcessing(const JsonPart& part)
      : sep_(read_token_pair(part.at("sep"))),
        cls_(read_token_pair(part.at("cls"))),
        trims_(part.boolean("trim_offsets", true)),
        prefix_(part.boolean("add_prefix_space", true)) {}

  void apply(std::vector<Encoding>& parts, bool special) const override {
    for (size_t i = 0; i < parts.size(); ++i) {
      if (trims_) trim(parts[i], prefix_);
      std::fill(parts[i].types.begin(), parts[i].types.end(), 0);
      if (!special) continue;
      const bool spaces = !parts[i].spaces.empty();
      Encoding joined;
      joined.only_ids = parts[i].only_ids;
      joined.add_special(i == 0 ? cls_ : sep_, 0, spaces);
      joined.append(parts[i]);
      joined.add_special(sep_, 0, spaces);
      parts[i] = std::move(joined);
    }
  }
  size_t added(bool pair) const override { return pair ? 4 : 2; }
  bool trims() const override { return trims_; }
  bool takes_texts() const override { return true; }

 private:
  int32_t sep_, cls_;
  bool trims_, prefix_;
};

class TemplateProcessing : public PostProcessor {
 public:
  explicit TemplateProcessing(const JsonPart& part) {
    const JsonPart tokens = part.at("special_tokens");
    std::unordered_map<std::string, std::vector<int32_t>> ids;
    for (const auto& item : tokens.object().value().items()) {
      const JsonPart token = tokens.at(item.key().c_str());
      const JsonPart list = token.at("ids");
      if (list.array().size() > kMaxPieces) list.refuse("at most " + std::to_string(kMaxPieces) + " ids");
      for (size_t i = 0; i < list.size(); ++i) ids[item.key()].push_back(read_id(list.item(i)));
    }
    templates_[0] = read(part.at("single"), ids, false);
    templates_[1] = read(part.at("pair"), ids, true);
  }

  void apply(std::vector<Encoding>& parts, bool special) const override {
    const bool spaces = std::any_of(parts.begin(), parts.end(), [](const Encoding& e) { return !e.spaces.empty(); });
    std::vector<Encoding> out;
    for (const TemplatePiece& piece : templates_[parts.size() == 1 ? 0 : 1]) {
      if (piece.text >= 0) {
        Encoding part = parts[static_cast<size_t>(piece.text)];
        std::fill(part.types.begin(), part.types.end(), piece.type);
        out.push_back(std::move(part));
      } else if (special) {
        Encoding& added = out.emplace_back();
        added.only_ids = parts[0].only_ids;
        for (const int32_t id : piece.ids) added.add_special(id, piece.type, spaces);
      }
    }
    parts = std::move(out);
  }

  size_t added(bool pair) const override {
    size_t count = 0;
    for (const TemplatePiece& piece : templates_[pair ? 1 : 0]) count += piece.ids.size();
    return count;
  }
  bool takes_texts() const override { return true; }

 private:
  struct TemplatePiece {
    int text = -1;  // 0 or 1; -1: special tokens
    int32_t type = 0;
    std::vector<int32_t> ids;
  };

  static std::vector<TemplatePiece> read(const JsonPart& part,
                                         const std::unordered_map<std::string, std::vector<int32_t>>& ids, bool pair) {
    if (part.array().size() > kMaxPieces) part.refuse("at most " + std::to_string(kMaxPieces) + " pieces");
    std::vector<TemplatePiece> pieces;
    std::array<size_t, 2> uses{};
    for (size_t i = 0; i < part.size(); ++i) {
      const JsonPart item = part.item(i);
      TemplatePiece& piece = pieces.emplace_back();
      const bool is_text = item.has("Sequence");
      const JsonPart body = item.at(is_text ? "Sequence" : "SpecialToken");
      piece.type = static_cast<int32_t>(body.at("type_id").integer(0, kMaxType));
      const std::string& id = body.string("id");
      if (is_text) {
        if (id != "A" && !(pair && id == "B")) body.at("id").refuse(pair ? "A or B" : "A");
        piece.text = id == "A" ? 0 : 1;
        if (++uses[static_cast<size_t>(piece.text)] > 4) item.refuse("a text at most four times");
      } else {
        const auto found = ids.find(id);
        if (found == ids.end()) body.at("id").refuse("one of special_tokens");
        piece.ids = found->second;
      }
    }
    return pieces;
  }

  std::array<std::vector<TemplatePiece>, 2> templates_;  // of one text, of two
};

class Sequence : public PostProcessor {
 public:
  Sequence(const JsonPart& part, int depth) {
    if (depth >= kMaxNesting) part.refuse("at most " + std::to_string(kMaxNesting) + " sequences within each other");
    const JsonPart parts = part.at("processors");
    for (size_t i = 0; i < parts.array().size(); ++i) {
      auto one = make_post_processor(parts.item(i), depth + 1);
      if (one->takes_texts() && takes_texts()) parts.item(i).refuse("one processor that adds special tokens");
      all_.push_back(std::move(one));
    }
  }

  void apply(std::vector<Encoding>& parts, bool special) const override {
    for (const auto& one : all_) one->apply(parts, special);
  }
  size_t added(bool pair) const override {
    size_t count = 0;
    for (const auto& one : all_) count += one->added(pair);
    return count;
  }
  bool trims() const override {
    return std::any_of(all_.begin(), all_.end(), [](const auto& one) { return one->trims(); });
  }
  bool takes_texts() const override {
    return std::any_of(all_.begin(), all_.end(), [](const auto& one) { return one->takes_texts(); });
  }

 private:
  std::vector<std::unique_ptr<PostProcessor>> all_;
};

}  // namespace

Encoding Encoding::slice(size_t begin, size_t end) const {
  Encoding out;
  out.only_ids = only_ids;
  const auto copy = [&](const auto& from, auto& to) {
    if (from.empty()) return;
    to.assign(from.begin() + static_cast<std::ptrdiff_t>(begin), from.begin() + static_cast<std::ptrdiff_t>(end));
  };
  copy(ids, out.ids);
  copy(types, out.types);
  copy(characters, out.characters);
  copy(words, out.words);
  copy(texts, out.texts);
  copy(spaces, out.spaces);
  return out;
}

void Encoding::append(const Encoding& other) {
  const auto add = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
  add(ids, other.ids);
  add(types, other.types);
  add(characters, other.characters);
  add(words, other.words);
  add(texts, other.texts);
  add(spaces, other.spaces);
}

std::unique_ptr<PostProcessor> make_post_processor(const JsonPart& part, int depth) {
  const std::string& type = part.type();
  if (type == "Sequence") return std::make_unique<Sequence>(part, depth);
  if (type == "TemplateProcessing") return std::make_unique<TemplateProcessing>(part);
  if (type == "ByteLevel") return std::make_unique<ByteLevel>(part);
  if (type == "RobertaProcessing") return std::make_unique<RobertaProcessing>(part);
  if (type == "BertProcessing") return std::make_unique<BertProcessing>(part);
  part.at("type").refuse("a type of post-processor that is known");
}

Json make_bos_eos_template(const std::string& bos, int32_t bos_id, const std::string& eos, int32_t eos_id) {
  Json tokens = Json::object(), single = Json::array(), pair = Json::array();
  const auto add_token = [&](Json& pieces, const std::string& name, int32_t id, int type) {
    if (id < 0) return;
    tokens[name] = {{"id", name}, {"ids", Json::array({id})}, {"tokens", Json::array({name})}};
    pieces.push_back({{"SpecialToken", {{"id", name}, {"type_id", type}}}});
  };
  const auto add_text = [](Json& pieces, const char* which, int type) {
    pieces.push_back({{"Sequence", {{"id", which}, {"type_id", type}}}});
  };
  for (Json* pieces : {&single, &pair}) {
    add_token(*pieces, bos, bos_id, 0);
    add_text(*pieces, "A", 0);
    add_token(*pieces, eos, eos_id, 0);
  }
  add_token(pair, bos, bos_id, 1);
  add_text(pair, "B", 1);
  add_token(pair, eos, eos_id, 1);
  return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", tokens}};
}

}  // namespace heed::text::pipeline
