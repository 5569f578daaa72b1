#include "heed/metrics/porter_stemmer.h"

#include <algorithm>
#include <span>
#include <vector>

namespace heed::metrics {
namespace {

bool is_vowel_letter(char c) { return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u'; }

// For each letter whether it is a consonant: y is one at the beginning and behind a vowel.
std::vector<bool> consonants(std::string_view word) {
  std::vector<bool> flags;
  for (const char c : word) flags.push_back(c == 'y' ? flags.empty() || !flags.back() : !is_vowel_letter(c));
  return flags;
}

// The m of [C](VC)^m[V].
int measure(std::string_view stem) {
  const std::vector<bool> flags = consonants(stem);
  int m = 0;
  for (size_t i = 1; i < flags.size(); ++i) m += !flags[i - 1] && flags[i];
  return m;
}

bool contains_vowel(std::string_view stem) {
  const std::vector<bool> flags = consonants(stem);
  return std::find(flags.begin(), flags.end(), false) != flags.end();
}

// *d
bool ends_in_double_consonant(std::string_view word) {
  return word.size() >= 2 && word.back() == word[word.size() - 2] && consonants(word).back();
}

// *o; of two letters NLTK takes vowel and consonant.
bool ends_in_cvc(std::string_view word) {
  const std::vector<bool> flags = consonants(word);
  const size_t n = flags.size();
  if (n == 2) return !flags[0] && flags[1];
  return n >= 3 && flags[n - 3] && !flags[n - 2] && flags[n - 1] && word.back() != 'w' && word.back() != 'x' &&
         word.back() != 'y';
}

std::string joined(std::string_view stem, std::string_view ending) { return std::string(stem).append(ending); }

struct Rule {
  std::string_view suffix, replacement;
};

// Applies the first rule whose suffix the word has, if what is left has a measure above `least`.
std::string apply(std::string_view word, std::span<const Rule> rules, int least) {
  for (const Rule& rule : rules) {
    if (!word.ends_with(rule.suffix)) continue;
    const std::string_view stem = word.substr(0, word.size() - rule.suffix.size());
    return measure(stem) > least ? joined(stem, rule.replacement) : std::string(word);
  }
  return std::string(word);
}

std::string plurals(std::string_view word) {  // step 1a
  const auto cut = [&](size_t letters) { return std::string(word.substr(0, word.size() - letters)); };
  if (word.ends_with("ies")) return cut(word.size() == 4 ? 1 : 2);
  if (word.ends_with("sses")) return cut(2);
  if (word.ends_with("ss") || !word.ends_with('s')) return std::string(word);
  return cut(1);
}

std::string restored(std::string_view stem) {  // what follows where ed or ing was taken off in step 1b
  for (const std::string_view ending : {"at", "bl", "iz"})
    if (stem.ends_with(ending)) return joined(stem, "e");
  if (ends_in_double_consonant(stem)) {
    const char last = stem.back();
    return std::string(last == 'l' || last == 's' || last == 'z' ? stem : stem.substr(0, stem.size() - 1));
  }
  return measure(stem) == 1 && ends_in_cvc(stem) ? joined(stem, "e") : std::string(stem);
}

std::string past_and_progressive(std::string_view word) {  // step 1b
  if (word.ends_with("ied")) return std::string(word.substr(0, word.size() - (word.size() == 4 ? 1 : 2)));
  if (word.ends_with("eed"))
    return std::string(measure(word.substr(0, word.size() - 3)) > 0 ? word.substr(0, word.size() - 1) : word);
  for (const std::string_view suffix : {"ed", "ing"}) {
    if (!word.ends_with(suffix)) continue;
    const std::string_view stem = word.substr(0, word.size() - suffix.size());
    if (contains_vowel(stem)) return restored(stem);
  }
  return std::string(word);
}

std::string final_y(
    std::string_view word) {  // step 1c, as NLTK has it: behind a consonant that is not the first letter
  if (!word.ends_with('y')) return std::string(word);
  const std::string_view stem = word.substr(0, word.size() - 1);
  return stem.size() > 1 && consonants(stem).back() ? joined(stem, "i") : std::string(word);
}

constexpr Rule kStep2[] = {
    {"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"}, {"anci", "ance"}, {"izer", "ize"},
    {"bli", "ble"},     {"alli", "al"},     {"entli", "ent"}, {"eli", "e"},     {"ousli", "ous"},
    {"ization", "ize"}, {"ation", "ate"},   {"ator", "ate"},  {"alism", "al"},  {"iveness", "ive"},
    {"fulness", "ful"}, {"ousness", "ous"}, {"aliti", "al"},  {"iviti", "ive"}, {"biliti", "ble"},
    {"fulli", "ful"},
};
constexpr Rule kStep3[] = {
    {"icate", "ic"}, {"ative", ""}, {"alize", "al"}, {"iciti", "ic"}, {"ical", "ic"}, {"ful", ""}, {"ness", ""},
};
constexpr std::string_view kStep4[] = {
    "al",  "ance", "ence", "er",  "ic",  "able", "ible", "ant", "ement", "ment",
    "ent", "ion",  "ou",   "ism", "ate", "iti",  "ous",  "ive", "ize",
};

std::string double_suffixes(std::string_view word) {  // step 2
  // NLTK takes -alli off first and then goes on with what is left.
  if (word.ends_with("alli") && measure(word.substr(0, word.size() - 4)) > 0)
    return double_suffixes(word.substr(0, word.size() - 2));
  for (const Rule& rule : kStep2)
    if (word.ends_with(rule.suffix)) return apply(word, std::span(&rule, 1), 0);
  // The l of -logi counts with the stem.
  if (word.ends_with("logi") && measure(word.substr(0, word.size() - 3)) > 0)
    return std::string(word.substr(0, word.size() - 1));
  return std::string(word);
}

std::string last_suffixes(std::string_view word) {  // step 4
  for (const std::string_view suffix : kStep4) {
    if (!word.ends_with(suffix)) continue;
    const std::string_view stem = word.substr(0, word.size() - suffix.size());
    const bool allowed = suffix != "ion" || stem.ends_with('s') || stem.ends_with('t');
    return std::string(measure(stem) > 1 && allowed ? stem : word);
  }
  return std::string(word);
}

std::string tidied(std::string_view word) {  // step 5
  if (word.ends_with('e')) {
    const std::string_view stem = word.substr(0, word.size() - 1);
    const int m = measure(stem);
    if (m > 1 || (m == 1 && !ends_in_cvc(stem))) word = stem;
  }
  if (word.ends_with("ll") && measure(word.substr(0, word.size() - 1)) > 1) word.remove_suffix(1);
  return std::string(word);
}

// NLTK's irregular forms.
constexpr std::pair<std::string_view, std::string_view> kIrregular[] = {
    {"sky", "sky"},        {"skies", "sky"},       {"dying", "die"},        {"lying", "lie"},
    {"tying", "tie"},      {"news", "news"},       {"innings", "inning"},   {"inning", "inning"},
    {"outings", "outing"}, {"outing", "outing"},   {"cannings", "canning"}, {"canning", "canning"},
    {"howe", "howe"},      {"proceed", "proceed"}, {"exceed", "exceed"},    {"succeed", "succeed"},
};

}  // namespace

std::string porter_stem(std::string_view word) {
  for (const auto& [form, stem] : kIrregular)
    if (form == word) return std::string(stem);
  if (word.size() <= 2) return std::string(word);
  std::string stem = double_suffixes(final_y(past_and_progressive(plurals(word))));
  stem = apply(stem, kStep3, 0);
  return tidied(last_suffixes(stem));
}

}  // namespace heed::metrics
