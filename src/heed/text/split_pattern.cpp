#include "heed/text/split_pattern.h"

#include <algorithm>
#include <utility>

#include "heed/text/character_class.h"
#include "heed/text/regex.h"

namespace heed::text::pipeline {
namespace {

// Adds what lies before a match, and the match.
void add_match(std::vector<Match>& out, size_t& done, size_t begin, size_t end) {
  if (begin > done) out.push_back({static_cast<uint32_t>(done), static_cast<uint32_t>(begin), false});
  out.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(end), true});
  done = end;
}

void add_rest(std::vector<Match>& out, size_t done, size_t size) {
  if (done < size) out.push_back({static_cast<uint32_t>(done), static_cast<uint32_t>(size), false});
}

class StringPattern : public Pattern {
 public:
  explicit StringPattern(std::string text) : wanted_(std::move(text)) {}

  void find(std::string_view text, std::vector<Match>& out) const override {
    out.clear();
    size_t done = 0;
    if (wanted_.empty()) {
      // An empty string matches before every character and at the end.
      for (size_t at = 0; at < text.size(); at += utf8_length(text[at])) add_match(out, done, at, at);
      add_match(out, done, text.size(), text.size());
      return;
    }
    for (size_t at; (at = text.find(wanted_, done)) != std::string_view::npos;)
      add_match(out, done, at, at + wanted_.size());
    add_rest(out, done, text.size());
  }

 private:
  std::string wanted_;
};

class RegexPattern : public Pattern {
 public:
  RegexPattern(const std::string& expression, const std::string& where) : regex_(expression, where) {}

  void find(std::string_view text, std::vector<Match>& out) const override {
    out.clear();
    size_t done = 0;
    regex_.for_each_match(text, [&](size_t begin, size_t end) { add_match(out, done, begin, end); });
    add_rest(out, done, text.size());
  }

 private:
  Regex regex_;
};

// How the well-known expressions differ.
struct WordRules {
  bool any_case = false;        // contractions in capitals too
  bool joins_anything = false;  // letters take one character before them that is no letter, digit or line end; else a
                                // space
  size_t max_digits = 0;        // digits in one match; 0: any number, behind a space
  bool line_ends = false;       // symbols take the line ends that follow; white space ends at its last line end
};

constexpr std::string_view kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

constexpr WordRules kGpt2Rules{};

constexpr std::pair<std::string_view, WordRules> kKnown[] = {
    {kGpt2, kGpt2Rules},
    // Llama 3
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     {true, true, 3, true}},
    // cl100k
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)",
     {true, true, 3, true}},
    // Qwen 2
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     {true, true, 1, true}},
};

class WordScanner : public Pattern {
 public:
  explicit WordScanner(const WordRules& rules) : rules_(rules) {}

  void find(std::string_view text, std::vector<Match>& out) const override {
    out.clear();
    for (size_t at = 0; at < text.size();) {
      const size_t end = match_end(text, at);
      out.push_back({static_cast<uint32_t>(at), static_cast<uint32_t>(end), true});
      at = end;
    }
  }

 private:
  static constexpr uint8_t kText = kLetter | kNumber | kSpace;

  static uint8_t classes_at(std::string_view text, size_t at) { return classes_of(utf8_at(text, at)); }
  static bool is_line_end(char c) { return c == '\r' || c == '\n'; }

  // The end of the run of characters in (or, with `in` unset, not in) `classes`.
  static size_t run_end(std::string_view text, size_t at, uint8_t classes, bool in = true) {
    while (at < text.size() && ((classes_at(text, at) & classes) != 0) == in) at += utf8_length(text[at]);
    return at;
  }

  // The length of a contraction such as "'re" at `at`, or 0.
  size_t contraction(std::string_view text, size_t at) const {
    const auto lower = [&](size_t i) -> char {
      if (i >= text.size()) return '\0';
      const char c = text[i];
      return rules_.any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    };
    const char first = lower(at + 1), second = lower(at + 2);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
    if ((first == 'r' && second == 'e') || (first == 'v' && second == 'e') || (first == 'l' && second == 'l')) return 3;
    if (rules_.any_case && text.substr(at + 1).starts_with("\xC5\xBF")) return 3;  // the long s
    return 0;
  }

  size_t match_end(std::string_view text, size_t at) const {
    const char c = text[at];
    if (c == '\'')
      if (const size_t length = contraction(text, at)) return at + length;
    const uint8_t classes = classes_at(text, at);
    const size_t next = at + utf8_length(c);
    if (classes & kLetter) return run_end(text, next, kLetter);
    const uint8_t after = next < text.size() ? classes_at(text, next) : uint8_t{0};
    const bool takes_letters = rules_.joins_anything ? !(classes & kNumber) && !is_line_end(c) : c == ' ';
    if (takes_letters && (after & kLetter)) return run_end(text, next, kLetter);
    if (classes & kNumber) return number_end(text, at);
    if (rules_.max_digits == 0 && c == ' ' && (after & kNumber)) return run_end(text, next, kNumber);
    if (!(classes & kText) || (c == ' ' && next < text.size() && !(after & kText))) {
      size_t end = run_end(text, next, kText, false);
      while (rules_.line_ends && end < text.size() && is_line_end(text[end])) ++end;
      return end;
    }
    return space_end(text, at);
  }

  size_t number_end(std::string_view text, size_t at) const {
    if (rules_.max_digits == 0) return run_end(text, at, kNumber);
    for (size_t n = 0; n < rules_.max_digits && at < text.size() && (classes_at(text, at) & kNumber); ++n)
      at += utf8_length(text[at]);
    return at;
  }

  // White space up to its last line end, else but for its last character, which goes with what follows.
  size_t space_end(std::string_view text, size_t at) const {
    const size_t end = run_end(text, at, kSpace);
    if (rules_.line_ends)
      for (size_t last = end; last > at; --last)
        if (is_line_end(text[last - 1])) return last;
    if (end == text.size()) return end;
    const size_t before = utf8_before(text, end);
    return before > at ? before : end;
  }

  WordRules rules_;
};

}  // namespace

std::unique_ptr<Pattern> make_string_pattern(std::string text) {
  return std::make_unique<StringPattern>(std::move(text));
}

std::unique_ptr<Pattern> make_regex_pattern(const std::string& expression, const std::string& where) {
  for (const auto& [known, rules] : kKnown)
    if (expression == known) return std::make_unique<WordScanner>(rules);
  return std::make_unique<RegexPattern>(expression, where);
}

std::unique_ptr<Pattern> make_pattern(const JsonPart& part) {
  part.object();
  if (part.value().contains("String")) return make_string_pattern(part.string("String"));
  if (part.value().contains("Regex")) return make_regex_pattern(part.string("Regex"), part.at("Regex").where());
  part.refuse("a pattern, {\"String\": …} or {\"Regex\": …}");
}

const Pattern& gpt2_pattern() {
  static const WordScanner scanner(kGpt2Rules);
  return scanner;
}

SplitBehavior read_split_behavior(const JsonPart& part) {
  static constexpr std::pair<std::string_view, SplitBehavior> kNames[] = {
      {"Removed", SplitBehavior::kRemoved},
      {"Isolated", SplitBehavior::kIsolated},
      {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
      {"MergedWithNext", SplitBehavior::kMergedWithNext},
      {"Contiguous", SplitBehavior::kContiguous}};
  for (const auto& [name, behavior] : kNames)
    if (part.string() == name) return behavior;
  part.refuse("Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
}

void merge_matches(std::vector<Match>& matches, SplitBehavior behavior) {
  if (behavior == SplitBehavior::kRemoved) return;
  if (behavior == SplitBehavior::kIsolated) {
    for (Match& match : matches) match.matches = false;
    return;
  }
  // From left to right (of kMergedWithNext from right to left), each joins the one before it or stands alone.
  const bool backwards = behavior == SplitBehavior::kMergedWithNext;
  if (backwards) std::reverse(matches.begin(), matches.end());
  bool previous = false;
  size_t kept = 0;
  for (const Match match : matches) {
    const bool joins = behavior == SplitBehavior::kContiguous ? match.matches == previous : match.matches && !previous;
    previous = match.matches;
    if (joins && kept > 0) {
      if (backwards) matches[kept - 1].begin = match.begin;
      else matches[kept - 1].end = match.end;
    } else {
      matches[kept++] = {match.begin, match.end, false};
    }
  }
  matches.resize(kept);
  if (backwards) std::reverse(matches.begin(), matches.end());
}

}  // namespace heed::text::pipeline
