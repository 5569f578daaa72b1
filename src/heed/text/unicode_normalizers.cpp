// The normal forms of Unicode and SentencePiece's precompiled map, with the alignments of `tokenizers`.
#include <unicode/uchar.h>
#include <unicode/unorm2.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "heed/text/normalizers.h"
#include "heed/text/precompiled_charsmap.h"

namespace heed::text::pipeline {
namespace {

// A character to write and its change (see Rewriter).
struct Change {
  char32_t c;
  int64_t change;
  uint8_t combining_class;
};

const UNormalizer2* canonical() {
  UErrorCode error = U_ZERO_ERROR;
  static const UNormalizer2* const instance = unorm2_getNFCInstance(&error);
  return instance;
}

const UNormalizer2* compatible() {
  UErrorCode error = U_ZERO_ERROR;
  static const UNormalizer2* const instance = unorm2_getNFKCInstance(&error);
  return instance;
}

// Appends the decomposition of the characters [begin, end) of `text`, in canonical order.
void decompose(std::string_view text, size_t begin, size_t end, const UNormalizer2* form, std::vector<Change>& out) {
  out.clear();
  size_t marks = 0;  // where the run of marks at the end begins
  const auto sort_marks = [&] {
    std::stable_sort(out.begin() + static_cast<std::ptrdiff_t>(marks), out.end(),
                     [](const Change& a, const Change& b) { return a.combining_class < b.combining_class; });
  };
  const auto push = [&](char32_t c, bool first) {
    const uint8_t combining_class = u_getCombiningClass(static_cast<UChar32>(c));
    if (combining_class == 0) sort_marks();
    out.push_back({c, first ? 0 : 1, combining_class});
    if (combining_class == 0) marks = out.size();
  };
  std::array<UChar, 64> parts;
  for (size_t at = begin; at < end; at += utf8_length(text[at])) {
    const char32_t c = utf8_at(text, at);
    UErrorCode error = U_ZERO_ERROR;
    const int32_t length = c < 0xA0 ? -1
                                    : unorm2_getDecomposition(form, static_cast<UChar32>(c), parts.data(),
                                                              static_cast<int32_t>(parts.size()), &error);
    if (length < 0 || U_FAILURE(error)) {
      push(c, true);
      continue;
    }
    for (int32_t i = 0; i < length;) {
      const bool first = i == 0;
      UChar32 part;
      U16_NEXT(parts.data(), i, length, part);
      push(static_cast<char32_t>(part), first);
    }
  }
  sort_marks();
}

// Composes in place; a composed character sums the changes of its parts.
void compose(std::vector<Change>& parts) {
  size_t kept = 0, starter = parts.size();
  int last_class = -1;  // of the character kept behind the starter; -1: none is
  for (size_t i = 0; i < parts.size(); ++i) {
    const Change part = parts[i];
    if (starter < parts.size() && last_class < static_cast<int>(part.combining_class)) {
      Change& head = parts[starter];
      const UChar32 joined =
          unorm2_composePair(canonical(), static_cast<UChar32>(head.c), static_cast<UChar32>(part.c));
      if (joined >= 0) {
        head.c = static_cast<char32_t>(joined);
        head.change += part.change - 1;
        continue;
      }
    }
    if (part.combining_class == 0) {
      starter = kept;
      last_class = -1;
    } else if (starter < parts.size()) {
      last_class = part.combining_class;
    }
    parts[kept++] = part;
  }
  parts.resize(kept);
}

// Where the text can be cut before `at`: no character from there on joins with one before.
size_t next_ascii(std::string_view text, size_t at) {
  while (at < text.size() && static_cast<unsigned char>(text[at]) >= 0x80) ++at;
  return at;
}

}  // namespace

void normalize_unicode(AlignedText& text, UnicodeForm form) {
  if (is_ascii(text.text)) return;
  const bool composes = form == UnicodeForm::kNfc || form == UnicodeForm::kNfkc;
  const bool is_canonical = form == UnicodeForm::kNfc || form == UnicodeForm::kNfd;
  thread_local std::vector<Change> changes;
  Rewriter out(text);
  const std::string_view view = text.text;
  for (size_t at = 0; at < view.size();) {
    size_t plain = at;  // ASCII that is followed by ASCII
    while (plain < view.size() && static_cast<unsigned char>(view[plain]) < 0x80) ++plain;
    if (plain < view.size() && plain > at) --plain;
    if (plain > at) {
      out.keep(plain - at);
      at = plain;
      continue;
    }
    const size_t end = next_ascii(view, at + 1);
    decompose(view, at, end, is_canonical ? canonical() : compatible(), changes);
    if (composes) compose(changes);
    for (const Change& change : changes) out.write(change.c, change.change);
    at = end;
  }
  changes.resize(std::min<size_t>(changes.size(), 4096));
  out.finish();
}

namespace {

// The value of each base64 digit, or -1.
int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

std::string decode_base64(const JsonPart& part) {
  std::string_view text = part.string();
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  std::string out;
  out.reserve(text.size() / 4 * 3 + 3);
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int value = base64_value(c);
    check<FormatError>(value >= 0, "{}: expected base64, got the character {:#x}", part.where(),
                       static_cast<unsigned char>(c));
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out.push_back(static_cast<char>(bits >> count & 0xFF));
  }
  return out;
}

// Whether there is a border of extended grapheme clusters between `left` and `right` (Unicode annex 29), given what the
// cluster so far holds.
class GraphemeBorders {
 public:
  // Where the cluster that begins at `at` ends.
  static size_t end(std::string_view text, size_t at) {
    char32_t left = utf8_at(text, at);
    size_t next = at + utf8_length(text[at]);
    bool pictograph = is_pictograph(left), joined = false;
    size_t flags = value(left) == U_GCB_REGIONAL_INDICATOR ? 1 : 0;
    while (next < text.size()) {
      const char32_t right = utf8_at(text, next);
      const int l = value(left), r = value(right);
      const bool joins_pictograph = joined && is_pictograph(right);
      const bool pair_of_flags = l == U_GCB_REGIONAL_INDICATOR && r == U_GCB_REGIONAL_INDICATOR && flags % 2 == 1;
      if (!joins(l, r) && !joins_pictograph && !pair_of_flags) break;
      joined = pictograph && r == U_GCB_ZWJ;
      pictograph = is_pictograph(right) || (pictograph && (r == U_GCB_EXTEND || r == U_GCB_ZWJ));
      flags = r == U_GCB_REGIONAL_INDICATOR ? flags + 1 : 0;
      left = right;
      next += utf8_length(text[next]);
    }
    return next;
  }

 private:
  static int value(char32_t c) { return u_getIntPropertyValue(static_cast<UChar32>(c), UCHAR_GRAPHEME_CLUSTER_BREAK); }
  static bool is_pictograph(char32_t c) {
    return u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_EXTENDED_PICTOGRAPHIC) != 0;
  }
  static bool is_control(int v) { return v == U_GCB_CONTROL || v == U_GCB_CR || v == U_GCB_LF; }
  static bool joins(int l, int r) {
    if (l == U_GCB_CR && r == U_GCB_LF) return true;
    if (is_control(l) || is_control(r)) return false;
    if (l == U_GCB_L && (r == U_GCB_L || r == U_GCB_V || r == U_GCB_LV || r == U_GCB_LVT)) return true;
    if ((l == U_GCB_LV || l == U_GCB_V) && (r == U_GCB_V || r == U_GCB_T)) return true;
    if ((l == U_GCB_LVT || l == U_GCB_T) && r == U_GCB_T) return true;
    return r == U_GCB_EXTEND || r == U_GCB_ZWJ || r == U_GCB_SPACING_MARK || l == U_GCB_PREPEND;
  }
};

// A cluster of fewer than 6 bytes becomes what the map's shortest rule says that its head matches; else each of its
// characters does.
class Precompiled : public Normalizer {
 public:
  explicit Precompiled(const JsonPart& part)
      : map_(decode_base64(part.at("precompiled_charsmap")), part.at("precompiled_charsmap").where()) {
    for (unsigned char c = 0; c < 0x80; ++c)
      plain_[c] = c != '\r' && map_.shortest_match(std::string_view(reinterpret_cast<const char*>(&c), 1)).length == 0;
  }

  void apply(AlignedText& text) const override {
    const std::string_view view = text.text;
    Pending out(text);
    for (size_t at = 0; at < view.size();) {
      const auto first = static_cast<unsigned char>(view[at]);
      const bool alone = at + 1 == view.size() || static_cast<unsigned char>(view[at + 1]) < 0x80;
      if (alone && first < 0x80 && plain_[first]) {
        out.write(first, 0);
        ++at;
        continue;
      }
      const size_t end = GraphemeBorders::end(view, at);
      if (end - at >= 6 || !transform(view.substr(at, end - at), out))
        for (size_t c = at; c < end; c += utf8_length(view[c]))
          if (!transform(view.substr(c, utf8_length(view[c])), out)) out.write(utf8_at(view, c), 0);
      at = end;
    }
    out.finish();
  }

 private:
  // The last character is held back, as what follows it may yet be said to be removed behind it.
  class Pending {
   public:
    explicit Pending(AlignedText& text) : rewriter_(text) {}
    void write(char32_t c, int64_t change) {
      flush();
      last_ = c;
      change_ = change;
      any_ = true;
    }
    // Without a character before them, the removed ones are not accounted for, as in `tokenizers`.
    void remove(int64_t characters) { change_ -= characters; }
    void flush() {
      if (any_) rewriter_.write(last_, change_);
    }
    void finish() {
      flush();
      rewriter_.finish();
    }

   private:
    Rewriter rewriter_;
    char32_t last_ = 0;
    int64_t change_ = 0;
    bool any_ = false;
  };

  bool transform(std::string_view part, Pending& out) const {
    const PrecompiledCharsMap::Match match = map_.shortest_match(part);
    if (match.length == 0) return false;
    int64_t before = 0, after = 0;
    for (size_t at = 0; at < part.size(); at += utf8_length(part[at])) ++before;
    const std::string becomes = to_valid_utf8(match.replacement);
    for (size_t at = 0; at < becomes.size(); at += utf8_length(becomes[at])) ++after;
    int64_t written = 0;
    for (size_t at = 0; at < becomes.size(); at += utf8_length(becomes[at]), ++written)
      out.write(utf8_at(becomes, at), written >= before ? 1 : 0);
    if (after < before) out.remove(before - after);
    return true;
  }

  PrecompiledCharsMap map_;
  std::array<bool, 128> plain_{};
};

}  // namespace

std::unique_ptr<Normalizer> make_precompiled(const JsonPart& part) {
  // An empty map is written as null by some converters.
  if (!part.has("precompiled_charsmap")) part.at("precompiled_charsmap").refuse("a map in base64");
  return std::make_unique<Precompiled>(part);
}

}  // namespace heed::text::pipeline
