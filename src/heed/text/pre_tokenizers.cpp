#include "heed/text/pre_tokenizers.h"

#include <unicode/uscript.h>

#include <string>
#include <utility>
#include <vector>

#include "heed/text/normalizers.h"
#include "heed/text/split_pattern.h"

namespace heed::text::pipeline {
namespace {

// Replaces each piece to be tokenized by the parts that `find_parts(view, matches)` leaves unset.
template <class FindParts>
void split_pieces(PieceList& list, FindParts&& find_parts) {
  thread_local std::vector<Match> parts;
  thread_local std::vector<Piece> pieces;
  pieces.clear();
  for (const Piece& piece : list.pieces) {
    if (piece.added >= 0) {
      pieces.push_back(piece);
      continue;
    }
    find_parts(list.view(piece), parts);
    for (const Match& part : parts) {
      if (part.matches || part.begin == part.end) continue;
      const uint32_t begin = piece.begin + part.begin;
      pieces.push_back({begin, piece.begin + part.end, list.origin_of(begin), -1});
    }
  }
  list.pieces.swap(pieces);
}

// Splits by single characters for which is_match(c).
template <class IsMatch>
void split_by_character(PieceList& list, SplitBehavior behavior, IsMatch&& is_match) {
  split_pieces(list, [&](std::string_view text, std::vector<Match>& out) {
    out.clear();
    size_t done = 0;
    for (size_t at = 0; at < text.size();) {
      const size_t end = at + utf8_length(text[at]);
      if (is_match(utf8_at(text, at))) {
        if (at > done) out.push_back({static_cast<uint32_t>(done), static_cast<uint32_t>(at), false});
        out.push_back({static_cast<uint32_t>(at), static_cast<uint32_t>(end), true});
        done = end;
      }
      at = end;
    }
    if (done < text.size()) out.push_back({static_cast<uint32_t>(done), static_cast<uint32_t>(text.size()), false});
    merge_matches(out, behavior);
  });
}

// Writes the text anew, piece by piece: rewrite(piece, rewriter) takes the rewriter over the bytes of the piece.
template <class Rewrite>
void rewrite_pieces(PieceList& list, Rewrite&& rewrite) {
  AlignedText& text = list.text;
  std::string out;
  std::vector<ByteSpan> origins;
  out.reserve(text.text.size() + text.text.size() / 8 + 16);
  for (Piece& piece : list.pieces) {
    const auto begin = static_cast<uint32_t>(out.size());
    rewrite(piece, out, origins);
    piece.begin = begin;
    piece.end = static_cast<uint32_t>(out.size());
  }
  check<DataError>(out.size() < (size_t{1} << 31), "the tokenizer's pre-tokenizers make a text of {} bytes",
                   out.size());
  text.text.swap(out);
  text.origins.swap(origins);
}

void copy_piece(const PieceList& list, const Piece& piece, std::string& out, std::vector<ByteSpan>& origins) {
  out += list.view(piece);
  if (list.text.tracked)
    origins.insert(origins.end(), list.text.origins.begin() + piece.begin, list.text.origins.begin() + piece.end);
}

class Whitespace : public PreTokenizer {
 public:
  // Runs of word characters, and runs of what is neither that nor space.
  void apply(PieceList& list) const override {
    split_pieces(list, [](std::string_view text, std::vector<Match>& out) {
      out.clear();
      const auto kind = [&](size_t at) {
        const uint8_t classes = classes_of(utf8_at(text, at));
        return classes & kWord ? 1 : classes & kSpace ? 0 : 2;
      };
      for (size_t at = 0; at < text.size();) {
        const int first = kind(at);
        const size_t begin = at;
        do at += utf8_length(text[at]);
        while (at < text.size() && kind(at) == first);
        out.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(at), first == 0});
      }
    });
  }
};

class WhitespaceSplit : public PreTokenizer {
 public:
  void apply(PieceList& list) const override {
    split_by_character(list, SplitBehavior::kRemoved, [](char32_t c) { return is_in(c, kSpace); });
  }
};

class BertPreTokenizer : public PreTokenizer {
 public:
  // Words between spaces, punctuation character by character.
  void apply(PieceList& list) const override {
    split_pieces(list, [](std::string_view text, std::vector<Match>& out) {
      out.clear();
      size_t done = 0;
      const auto add = [&](size_t end) {
        if (end > done) out.push_back({static_cast<uint32_t>(done), static_cast<uint32_t>(end), false});
      };
      for (size_t at = 0; at < text.size();) {
        const size_t end = at + utf8_length(text[at]);
        if (const uint8_t classes = classes_of(utf8_at(text, at)) & (kSpace | kPunctuation)) {
          add(at);
          done = classes & kSpace ? end : at;
          add(end);
          done = end;
        }
        at = end;
      }
      add(text.size());
    });
  }
};

class Digits : public PreTokenizer {
 public:
  explicit Digits(const JsonPart& part)
      : behavior_(part.boolean("individual_digits", false) ? SplitBehavior::kIsolated : SplitBehavior::kContiguous) {}
  void apply(PieceList& list) const override {
    split_by_character(list, behavior_, [](char32_t c) { return is_in(c, kNumber); });
  }

 private:
  SplitBehavior behavior_;
};

class Punctuation : public PreTokenizer {
 public:
  explicit Punctuation(const JsonPart& part)
      : behavior_(part.has("behavior") ? read_split_behavior(part.at("behavior")) : SplitBehavior::kIsolated) {}
  void apply(PieceList& list) const override {
    split_by_character(list, behavior_, [](char32_t c) { return is_in(c, kPunctuation); });
  }

 private:
  SplitBehavior behavior_;
};

class CharDelimiterSplit : public PreTokenizer {
 public:
  explicit CharDelimiterSplit(const JsonPart& part) : delimiter_(part.at("delimiter").character()) {}
  void apply(PieceList& list) const override {
    split_by_character(list, SplitBehavior::kRemoved, [&](char32_t c) { return c == delimiter_; });
  }

 private:
  char32_t delimiter_;
};

class Split : public PreTokenizer {
 public:
  explicit Split(const JsonPart& part)
      : pattern_(make_pattern(part.at("pattern"))),
        behavior_(read_split_behavior(part.at("behavior"))),
        invert_(part.boolean("invert", false)) {}

  void apply(PieceList& list) const override {
    split_pieces(list, [&](std::string_view text, std::vector<Match>& out) {
      pattern_->find(text, out);
      if (invert_)
        for (Match& match : out) match.matches = !match.matches;
      merge_matches(out, behavior_);
    });
  }

 private:
  std::unique_ptr<Pattern> pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

// Splits where the script changes; a space is of any script, kana are Han.
class UnicodeScripts : public PreTokenizer {
 public:
  void apply(PieceList& list) const override {
    split_pieces(list, [](std::string_view text, std::vector<Match>& out) {
      out.clear();
      int last = kNoneYet;
      size_t begin = text.size();  // what stands before the first script is dropped, as by `tokenizers`
      for (size_t at = 0; at < text.size(); at += utf8_length(text[at])) {
        const int script = script_of(utf8_at(text, at));
        if (script == kAny) continue;
        if (script != last) {
          if (last != kNoneYet) out.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(at), false});
          begin = at;
        }
        last = script;
      }
      if (last != kNoneYet) out.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(text.size()), false});
    });
  }

 private:
  static constexpr int kNoneYet = -2, kAny = -1;

  static int script_of(char32_t c) {
    if (c == ' ') return kAny;
    if (c == 0x30FC) return USCRIPT_HAN;
    UErrorCode error = U_ZERO_ERROR;
    const UScriptCode script = uscript_getScript(static_cast<UChar32>(c), &error);
    if (U_FAILURE(error) || script == USCRIPT_UNKNOWN) return kAny;
    return script == USCRIPT_HIRAGANA || script == USCRIPT_KATAKANA ? USCRIPT_HAN : script;
  }
};

class ByteLevel : public PreTokenizer {
 public:
  explicit ByteLevel(const JsonPart& part)
      : prefix_(part.boolean("add_prefix_space", true)), use_regex_(part.boolean("use_regex", true)) {
    part.boolean("trim_offsets", true);  // is the post-processor's
  }

  void apply(PieceList& list) const override {
    if (prefix_) prepend_space(list);
    if (use_regex_)
      split_pieces(list, [](std::string_view text, std::vector<Match>& out) {
        gpt2_pattern().find(text, out);
        merge_matches(out, SplitBehavior::kIsolated);
      });
    rewrite_pieces(list, [&](const Piece& piece, std::string& out, std::vector<ByteSpan>& origins) {
      if (piece.added >= 0) return copy_piece(list, piece, out, origins);
      for (uint32_t at = piece.begin; at < piece.end; ++at) {
        const char32_t c = byte_level_character(static_cast<unsigned char>(list.text.text[at]));
        if (c < 0x80) {
          out.push_back(static_cast<char>(c));
          if (list.text.tracked) origins.push_back(list.text.origins[at]);
        } else {
          out.push_back(static_cast<char>(0xC0 | c >> 6));
          out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
          if (list.text.tracked) origins.insert(origins.end(), 2, list.text.origins[at]);
        }
      }
    });
  }

 private:
  static void prepend_space(PieceList& list) {
    rewrite_pieces(list, [&](const Piece& piece, std::string& out, std::vector<ByteSpan>& origins) {
      if (piece.added < 0 && list.text.text[piece.begin] != ' ') {
        out.push_back(' ');
        if (list.text.tracked) origins.push_back(list.text.origins[piece.begin]);
      }
      copy_piece(list, piece, out, origins);
    });
  }

  bool prefix_, use_regex_;
};

enum class PrependScheme { kAlways, kFirst, kNever };

PrependScheme read_prepend_scheme(const JsonPart& part) {
  // Without a scheme, add_prefix_space alone decides.
  PrependScheme scheme = PrependScheme::kAlways;
  if (part.has("prepend_scheme")) {
    const std::string& name = part.string("prepend_scheme");
    if (name == "first") scheme = PrependScheme::kFirst;
    else if (name == "never") scheme = PrependScheme::kNever;
    else if (name != "always") part.at("prepend_scheme").refuse("always, first or never");
  }
  if (!part.boolean("add_prefix_space", true)) {
    if (part.has("prepend_scheme") && scheme != PrependScheme::kNever)
      part.at("add_prefix_space").refuse("a value that fits prepend_scheme");
    scheme = PrependScheme::kNever;
  }
  return scheme;
}

class Metaspace : public PreTokenizer {
 public:
  explicit Metaspace(const JsonPart& part) : scheme_(read_prepend_scheme(part)), split_(part.boolean("split", true)) {
    delimiter_ = part.at("replacement").character();
    append_utf8(replacement_, delimiter_);
  }

  bool needs_origins() const override { return scheme_ == PrependScheme::kFirst; }

  void apply(PieceList& list) const override {
    rewrite_pieces(list, [&](const Piece& piece, std::string& out, std::vector<ByteSpan>& origins) {
      if (piece.added >= 0) copy_piece(list, piece, out, origins);
      else replace_spaces(list, piece, out, origins);
    });
    if (!split_) return;
    split_pieces(list, [&](std::string_view text, std::vector<Match>& out) {
      out.clear();
      size_t done = 0;
      for (size_t at; (at = text.find(replacement_, done)) != std::string_view::npos;) {
        if (at > done) out.push_back({static_cast<uint32_t>(done), static_cast<uint32_t>(at), false});
        done = at + replacement_.size();
        out.push_back({static_cast<uint32_t>(at), static_cast<uint32_t>(done), true});
      }
      if (done < text.size()) out.push_back({static_cast<uint32_t>(done), static_cast<uint32_t>(text.size()), false});
      merge_matches(out, SplitBehavior::kMergedWithNext);
    });
  }

 private:
  void replace_spaces(const PieceList& list, const Piece& piece, std::string& out,
                      std::vector<ByteSpan>& origins) const {
    const std::string_view text = list.view(piece);
    const bool marked = text.starts_with(' ') || text.starts_with(replacement_);
    const bool wanted =
        scheme_ == PrependScheme::kAlways || (scheme_ == PrependScheme::kFirst && piece.origin_begin == 0);
    if (!marked && wanted) {
      out += replacement_;
      if (list.text.tracked) origins.insert(origins.end(), replacement_.size(), list.text.origins[piece.begin]);
    }
    for (size_t at = 0; at < text.size();) {
      const size_t space = std::min(text.find(' ', at), text.size());
      copy_piece(list, {static_cast<uint32_t>(piece.begin + at), static_cast<uint32_t>(piece.begin + space), 0, -1},
                 out, origins);
      at = space + 1;
      if (space == text.size()) break;
      out += replacement_;
      if (list.text.tracked) origins.insert(origins.end(), replacement_.size(), list.text.origins[piece.begin + space]);
    }
  }

  PrependScheme scheme_;
  bool split_;
  char32_t delimiter_;
  std::string replacement_;
};

class Sequence : public PreTokenizer {
 public:
  Sequence(const JsonPart& part, int depth) {
    if (depth >= kMaxNesting) part.refuse("at most " + std::to_string(kMaxNesting) + " sequences within each other");
    const JsonPart parts = part.at("pretokenizers");
    for (size_t i = 0; i < parts.array().size(); ++i) all_.push_back(make_pre_tokenizer(parts.item(i), depth + 1));
  }

  void apply(PieceList& list) const override {
    for (const auto& one : all_) one->apply(list);
  }

  bool needs_origins() const override {
    for (const auto& one : all_)
      if (one->needs_origins()) return true;
    return false;
  }

 private:
  std::vector<std::unique_ptr<PreTokenizer>> all_;
};

template <class T>
std::unique_ptr<PreTokenizer> make(const JsonPart& part) {
  if constexpr (std::is_constructible_v<T, const JsonPart&>) return std::make_unique<T>(part);
  else return std::make_unique<T>();
}

constexpr std::pair<std::string_view, std::unique_ptr<PreTokenizer> (*)(const JsonPart&)> kTypes[] = {
    {"BertPreTokenizer", make<BertPreTokenizer>},
    {"ByteLevel", make<ByteLevel>},
    {"CharDelimiterSplit", make<CharDelimiterSplit>},
    {"Digits", make<Digits>},
    {"Metaspace", make<Metaspace>},
    {"Punctuation", make<Punctuation>},
    {"Split", make<Split>},
    {"UnicodeScripts", make<UnicodeScripts>},
    {"Whitespace", make<Whitespace>},
    {"WhitespaceSplit", make<WhitespaceSplit>},
};

}  // namespace

std::unique_ptr<PreTokenizer> make_pre_tokenizer(const JsonPart& part, int depth) {
  const std::string& type = part.type();
  if (type == "Sequence") return std::make_unique<Sequence>(part, depth);
  for (const auto& [name, make] : kTypes)
    if (type == name) return make(part);
  part.at("type").refuse("a type of pre-tokenizer that is known");
}

}  // namespace heed::text::pipeline
