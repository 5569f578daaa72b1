#include "heed/text/normalizers.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <utility>
#include <vector>

#include "heed/text/split_pattern.h"

namespace heed::text::pipeline {
namespace {

constexpr size_t kMaxContentBytes = 1024;  // of what one match is replaced by

// Writes only the characters for which keep(c), each as map(c).
template <class Keep, class Map>
void filter_and_map(AlignedText& text, Keep&& keep, Map&& map) {
  Rewriter out(text);
  while (out.place() < text.text.size()) {
    const char32_t c = utf8_at(text.text, out.place());
    if (keep(c)) out.write(map(c), 0);
    else out.skip(1);
  }
  out.finish();
}

void lowercase(AlignedText& text) {
  if (is_ascii(text.text)) {
    for (char& c : text.text)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return;
  }
  Rewriter out(text);
  while (out.place() < text.text.size()) {
    const char32_t c = utf8_at(text.text, out.place());
    if (c < 0x80) {
      out.write(c >= 'A' && c <= 'Z' ? c + 32 : c, 0);
    } else if (c == 0x130) {  // the one character that becomes two: the dotted capital I
      out.write('i', 0);
      out.write(0x307, 1);
    } else {
      out.write(static_cast<char32_t>(u_tolower(static_cast<UChar32>(c))), 0);
    }
  }
  out.finish();
}

class Lowercase : public Normalizer {
 public:
  void apply(AlignedText& text) const override { lowercase(text); }
};

class UnicodeNormalizer : public Normalizer {
 public:
  explicit UnicodeNormalizer(UnicodeForm form) : form_(form) {}
  void apply(AlignedText& text) const override { normalize_unicode(text, form_); }

 private:
  UnicodeForm form_;
};

class BertNormalizer : public Normalizer {
 public:
  explicit BertNormalizer(const JsonPart& part)
      : clean_(part.boolean("clean_text", true)),
        ideographs_(part.boolean("handle_chinese_chars", true)),
        lower_(part.boolean("lowercase", true)),
        strip_(part.boolean("strip_accents", lower_)) {}

  void apply(AlignedText& text) const override {
    const bool ascii = is_ascii(text.text);
    if (clean_ && !(ascii && is_clean(text.text))) clean(text);
    if (ideographs_ && !ascii) space_ideographs(text);
    if (strip_ && !ascii) {
      normalize_unicode(text, UnicodeForm::kNfd);
      filter_and_map(
          text, [](char32_t c) { return !is_in(c, kNonspacing); }, std::identity());
    }
    if (lower_) lowercase(text);
  }

 private:
  static bool is_clean(std::string_view ascii) {
    return std::all_of(ascii.begin(), ascii.end(), [](char c) { return c >= ' ' && c < 0x7F; });
  }

  static void clean(AlignedText& text) {
    const auto is_layout = [](char32_t c) { return c == '\t' || c == '\n' || c == '\r'; };
    filter_and_map(
        text, [&](char32_t c) { return is_layout(c) || !(c == 0 || c == 0xFFFD || is_in(c, kOther)); },
        [&](char32_t c) { return is_layout(c) || is_in(c, kSpace) ? U' ' : c; });
  }

  static void space_ideographs(AlignedText& text) {
    Rewriter out(text);
    while (out.place() < text.text.size()) {
      const char32_t c = utf8_at(text.text, out.place());
      if (is_bert_ideograph(c)) {
        out.write(' ', 0);
        out.write(c, 1);
        out.write(' ', 1);
      } else {
        out.write(c, 0);
      }
    }
    out.finish();
  }

  bool clean_, ideographs_, lower_, strip_;
};

class Strip : public Normalizer {
 public:
  explicit Strip(const JsonPart& part)
      : left_(part.boolean("strip_left", true)), right_(part.boolean("strip_right", true)) {}

  void apply(AlignedText& text) const override {
    const std::string_view view = text.text;
    size_t begin = 0, end = view.size();
    while (left_ && begin < end && is_in(utf8_at(view, begin), kSpace)) begin += utf8_length(view[begin]);
    while (right_ && end > begin) {
      const size_t before = utf8_before(view, end);
      if (!is_in(utf8_at(view, before), kSpace)) break;
      end = before;
    }
    if (begin == 0 && end == view.size()) return;
    Rewriter out(text);
    out.skip_bytes(begin);
    out.keep(end - begin);
    out.finish();
  }

 private:
  bool left_, right_;
};

class StripAccents : public Normalizer {
 public:
  void apply(AlignedText& text) const override {
    if (is_ascii(text.text)) return;
    filter_and_map(
        text, [](char32_t c) { return !is_in(c, kMark); }, std::identity());
  }
};

// Removes control characters and turns all kinds of space into ' ', as SentencePiece's nmt rules do.
class Nmt : public Normalizer {
 public:
  void apply(AlignedText& text) const override {
    filter_and_map(
        text,
        [](char32_t c) {
          return !((c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F);
        },
        [](char32_t c) {
          const bool is_space = c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 ||
                                (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                                c == 0xFEFF || c == 0xFFFD;
          return is_space ? U' ' : c;
        });
  }
};

const std::string& content_of(const JsonPart& part) {
  const std::string& text = part.string();
  if (text.size() > kMaxContentBytes) part.refuse("at most " + std::to_string(kMaxContentBytes) + " bytes");
  return text;
}

class Replace : public Normalizer {
 public:
  explicit Replace(const JsonPart& part)
      : pattern_(make_pattern(part.at("pattern"))), content_(content_of(part.at("content"))) {}

  void apply(AlignedText& text) const override {
    thread_local std::vector<Match> matches;
    pattern_->find(text.text, matches);
    if (std::none_of(matches.begin(), matches.end(), [](const Match& m) { return m.matches; })) return;
    Rewriter out(text);
    for (const Match& match : matches) {
      if (!match.matches) {
        out.keep(match.end - match.begin);
        continue;
      }
      out.skip_bytes(match.end - match.begin);
      out.insert(content_);
    }
    out.finish();
  }

 private:
  std::unique_ptr<Pattern> pattern_;
  std::string content_;
};

class Prepend : public Normalizer {
 public:
  explicit Prepend(const JsonPart& part) : text_(content_of(part.at("prepend"))) {}

  void apply(AlignedText& text) const override {
    if (text.text.empty()) return;
    text.text.insert(0, text_);
    if (text.tracked) text.origins.insert(text.origins.begin(), text_.size(), ByteSpan(text.origins[0]));
  }

 private:
  std::string text_;
};

class Append : public Normalizer {
 public:
  explicit Append(const JsonPart& part) : text_(content_of(part.at("append"))) {}

  void apply(AlignedText& text) const override {
    if (text.text.empty()) return;
    text.text += text_;
    if (text.tracked) text.origins.insert(text.origins.end(), text_.size(), ByteSpan(text.origins.back()));
  }

 private:
  std::string text_;
};

class ByteLevel : public Normalizer {
 public:
  void apply(AlignedText& text) const override {
    Rewriter out(text);
    for (size_t at = 0; at < text.text.size(); ++at) {
      const auto byte = static_cast<unsigned char>(text.text[at]);
      out.write(byte_level_character(byte), (byte & 0xC0) == 0x80 ? 1 : 0);
    }
    out.finish();
  }
};

class Sequence : public Normalizer {
 public:
  Sequence(const JsonPart& part, int depth) {
    if (depth >= kMaxNesting) part.refuse("at most " + std::to_string(kMaxNesting) + " sequences within each other");
    const JsonPart parts = part.at("normalizers");
    for (size_t i = 0; i < parts.array().size(); ++i) all_.push_back(make_normalizer(parts.item(i), depth + 1));
  }

  void apply(AlignedText& text) const override {
    for (const auto& one : all_) {
      one->apply(text);
      check<DataError>(text.text.size() < (size_t{1} << 30), "the tokenizer's normalizers make a text of {} bytes",
                       text.text.size());
    }
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> all_;
};

template <class T>
std::unique_ptr<Normalizer> make(const JsonPart& part) {
  if constexpr (std::is_constructible_v<T, const JsonPart&>) return std::make_unique<T>(part);
  else return std::make_unique<T>();
}

template <UnicodeForm form>
std::unique_ptr<Normalizer> make_form(const JsonPart&) {
  return std::make_unique<UnicodeNormalizer>(form);
}

constexpr std::pair<std::string_view, std::unique_ptr<Normalizer> (*)(const JsonPart&)> kTypes[] = {
    {"Append", make<Append>},
    {"BertNormalizer", make<BertNormalizer>},
    {"ByteLevel", make<ByteLevel>},
    {"Lowercase", make<Lowercase>},
    {"NFC", make_form<UnicodeForm::kNfc>},
    {"NFD", make_form<UnicodeForm::kNfd>},
    {"NFKC", make_form<UnicodeForm::kNfkc>},
    {"NFKD", make_form<UnicodeForm::kNfkd>},
    {"Nmt", make<Nmt>},
    {"Precompiled", make_precompiled},
    {"Prepend", make<Prepend>},
    {"Replace", make<Replace>},
    {"Strip", make<Strip>},
    {"StripAccents", make<StripAccents>},
};

struct ByteLevelMap {
  std::array<char32_t, 256> characters{};
  std::array<int16_t, 0x180> bytes{};
  ByteLevelMap() {
    bytes.fill(-1);
    char32_t next = 0x100;
    for (int b = 0; b < 256; ++b) {
      const bool visible = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      const auto c = visible ? static_cast<char32_t>(b) : next++;
      characters[static_cast<size_t>(b)] = c;
      bytes[c] = static_cast<int16_t>(b);
    }
  }
};
const ByteLevelMap kByteLevel;

}  // namespace

bool is_ascii(std::string_view text) {
  size_t at = 0;
  for (uint64_t block; at + 8 <= text.size(); at += 8) {
    std::memcpy(&block, text.data() + at, 8);
    if (block & 0x8080808080808080) return false;
  }
  for (; at < text.size(); ++at)
    if (static_cast<unsigned char>(text[at]) >= 0x80) return false;
  return true;
}

char32_t byte_level_character(unsigned char byte) { return kByteLevel.characters[byte]; }
int byte_of_character(char32_t c) { return c < kByteLevel.bytes.size() ? kByteLevel.bytes[c] : -1; }

std::unique_ptr<Normalizer> make_normalizer(const JsonPart& part, int depth) {
  const std::string& type = part.type();
  if (type == "Sequence") return std::make_unique<Sequence>(part, depth);
  for (const auto& [name, make] : kTypes)
    if (type == name) return make(part);
  part.at("type").refuse("a type of normalizer that is known");
}

}  // namespace heed::text::pipeline
