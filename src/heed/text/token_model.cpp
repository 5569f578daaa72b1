#include "heed/text/token_model.h"

#include <utility>

#include "heed/text/trie.h"

namespace heed::text::pipeline {
namespace {

constexpr int64_t kMaxId = (int64_t{1} << 22) - 1;

class WordLevel : public Model {
 public:
  explicit WordLevel(const JsonPart& part) {
    vocabulary_ = read_vocabulary(part.at("vocab"));
    if (part.has("unk_token")) unk_ = vocabulary_.id(part.string("unk_token")).value_or(-1);
    unk_token_ = part.has("unk_token") ? part.string("unk_token") : "<unk>";
  }

 protected:
  void segment(std::string_view word, uint32_t offset, std::vector<Token>& out) const override {
    const int32_t id = vocabulary_.id(word).value_or(unk_);
    check<DataError>(id >= 0, "the tokenizer has neither the word \"{}\" nor the unknown token \"{}\"", word,
                     unk_token_);
    out.push_back({id, offset, static_cast<uint32_t>(offset + word.size())});
  }

 private:
  int32_t unk_ = -1;
  std::string unk_token_;
};

// The longest token first, then the longest that continues it, and so on; a word that does not come out even is
// unknown as a whole.
class WordPiece : public Model {
 public:
  explicit WordPiece(const JsonPart& part) {
    const std::string prefix = part.has("continuing_subword_prefix") ? part.string("continuing_subword_prefix") : "##";
    unk_token_ = part.has("unk_token") ? part.string("unk_token") : "[UNK]";
    max_characters_ = part.has("max_input_chars_per_word")
                          ? static_cast<size_t>(part.at("max_input_chars_per_word").integer(0, INT32_MAX))
                          : 100;
    vocabulary_ = read_vocabulary(part.at("vocab"));
    unk_ = vocabulary_.id(unk_token_).value_or(-1);
    std::vector<Trie::Entry> entries;
    for (int32_t id = 0; id < vocabulary_.size(); ++id) {
      const std::string* token = vocabulary_.token(id);
      if (!token || token->empty()) continue;
      if (token->size() > kMaxTokenBytes)
        part.at("vocab").refuse("tokens of at most " + std::to_string(kMaxTokenBytes) + " bytes");
      entries.push_back({*token, id});
    }
    trie_ = Trie(std::move(entries));
    continuing_ = trie_.walk(Trie::kRoot, prefix);
  }

 protected:
  void segment(std::string_view word, uint32_t offset, std::vector<Token>& out) const override {
    const size_t first = out.size();
    if (cut(word, offset, out)) return;
    out.resize(first);
    check<DataError>(unk_ >= 0, "the tokenizer's vocabulary lacks its unknown token \"{}\"", unk_token_);
    out.push_back({unk_, offset, static_cast<uint32_t>(offset + word.size())});
  }

 private:
  bool cut(std::string_view word, uint32_t offset, std::vector<Token>& out) const {
    size_t characters = 0;
    for (size_t at = 0; at < word.size(); ++at) characters += (static_cast<unsigned char>(word[at]) & 0xC0) != 0x80;
    if (characters > max_characters_) return false;
    for (size_t at = 0; at < word.size();) {
      uint32_t node = at == 0 ? Trie::kRoot : continuing_;
      size_t end = at;
      int32_t id = -1;
      for (size_t next = at; next < word.size() && node != Trie::kNone;) {
        node = trie_.step(node, static_cast<unsigned char>(word[next++]));
        if (node == Trie::kNone || trie_.value(node) < 0) continue;
        id = trie_.value(node);
        end = next;
      }
      if (id < 0) return false;
      out.push_back({id, static_cast<uint32_t>(offset + at), static_cast<uint32_t>(offset + end)});
      at = end;
    }
    return true;
  }

  std::string unk_token_;
  int32_t unk_ = -1;
  size_t max_characters_;
  Trie trie_;
  uint32_t continuing_ = Trie::kNone;  // where the prefix of continuing tokens leads
};

}  // namespace

void Model::tokenize_word(std::string_view word, uint32_t offset, std::vector<Token>& out) const {
  if (word.size() > WordCache::kMaxWord) return segment(word, offset, out);
  WordCache::Entry& entry = WordCache::of_thread().slot(number_, word);
  if (WordCache::holds(entry, number_, word)) {
    uint32_t begin = offset;
    for (size_t i = 0; i < entry.count; ++i) {
      const uint32_t end = offset + entry.ends[i];
      out.push_back({entry.ids[i], begin, end});
      begin = end;
    }
    return;
  }
  const size_t first = out.size();
  segment(word, offset, out);
  WordCache::keep(entry, number_, word, out, first, offset);
}

void Model::tokenize(std::string_view piece, std::vector<Token>& out) const {
  if (piece.size() > WordCache::kMaxWord) tokenize_long(piece, out);
  else tokenize_word(piece, 0, out);
}

void Model::write(Json& model) const {
  Json vocab = Json::object();
  // ordered_json looks a new key up linearly; the tokens are known to differ.
  auto& object = vocab.get_ref<Json::object_t&>();
  for (int32_t id = 0; id < vocabulary_.size(); ++id)
    if (const std::string* token = vocabulary_.token(id)) object.emplace_back(*token, id);
  model["vocab"] = std::move(vocab);
}

Vocabulary read_vocabulary(const JsonPart& part) {
  Vocabulary vocabulary;
  for (const auto& item : part.object().value().items()) {
    const Json& value = item.value();
    const bool fits = value.is_number_integer() && value.get<int64_t>() >= 0 && value.get<int64_t>() <= kMaxId;
    check<FormatError>(fits, "{}: expected the id of \"{}\" to be a number of 0 to {}, got {}", part.where(),
                       item.key(), kMaxId, value.dump(-1, ' ', false, Json::error_handler_t::replace));
    const auto id = value.get<int32_t>();
    const std::string* other = vocabulary.token(id);
    check<FormatError>(!other, "{}: the tokens \"{}\" and \"{}\" have the same id {}", part.where(),
                       other ? *other : "", item.key(), id);
    vocabulary.add(item.key(), id);
  }
  return vocabulary;
}

std::string byte_token(unsigned char byte) { return fmt::format("<0x{:02X}>", byte); }

std::unique_ptr<Model> make_wordpiece(const JsonPart& part) { return std::make_unique<WordPiece>(part); }
std::unique_ptr<Model> make_wordlevel(const JsonPart& part) { return std::make_unique<WordLevel>(part); }

std::unique_ptr<Model> make_model(const JsonPart& part) {
  using Make = std::unique_ptr<Model> (*)(const JsonPart&);
  static constexpr std::pair<std::string_view, Make> kTypes[] = {
      {"BPE", make_bpe}, {"Unigram", make_unigram}, {"WordLevel", make_wordlevel}, {"WordPiece", make_wordpiece}};
  // Files of the first versions do not name the type, but each type has keys of its own.
  if (!part.has("type")) {
    if (part.has("merges")) return make_bpe(part);
    if (part.has("continuing_subword_prefix")) return make_wordpiece(part);
    return part.at("vocab").value().is_array() ? make_unigram(part) : make_wordlevel(part);
  }
  for (const auto& [name, make] : kTypes)
    if (part.type() == name) return make(part);
  part.at("type").refuse("a type of model that is known (BPE, Unigram, WordLevel, WordPiece)");
}

}  // namespace heed::text::pipeline
