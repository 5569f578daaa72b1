#include "heed/text/character_class.h"

#include <unicode/uchar.h>

#include <vector>

namespace heed::text {
namespace {

// Whether a character was assigned in Unicode `major`.0.
bool is_as_old_as(UChar32 c, int major) {
  UVersionInfo age;
  u_charAge(c, age);
  return age[0] > 0 && (age[0] < major || (age[0] == major && age[1] == 0));
}

uint8_t compute(UChar32 c) {
  const uint32_t category = U_MASK(u_charType(c));
  const bool unicode_8 = is_as_old_as(c, 8);
  uint8_t classes = 0;
  const auto add = [&](bool is, CharacterClass which) {
    if (is) classes = static_cast<uint8_t>(classes | which);
  };
  add((category & U_GC_L_MASK) != 0, kLetter);
  add((category & U_GC_N_MASK) != 0, kNumber);
  add(u_isUWhiteSpace(c) != 0, kSpace);
  add((category & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) != 0 || u_isUAlphabetic(c) != 0 ||
          u_hasBinaryProperty(c, UCHAR_JOIN_CONTROL) != 0,
      kWord);
  // The characters named are those whose category has changed since.
  const bool ascii_symbol = c < 0x80 && (category & (U_GC_P_MASK | U_GC_S_MASK)) != 0;
  add(ascii_symbol || (unicode_8 && (category & U_GC_P_MASK) != 0) || c == 0x166D || c == 0x111C9, kPunctuation);
  add(unicode_8 && (category & (U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK)) != 0, kOther);
  add((is_as_old_as(c, 9) && (category & U_GC_M_MASK) != 0 && c != 0x111C9) || c == 0x1CF2 || c == 0x1CF3, kMark);
  const bool changed = c == 0x1885 || c == 0x1886 || c == 0xA9BD || c == 0x111C9;
  add((unicode_8 && (category & U_GC_MN_MASK) != 0 && !changed) || c == 0x1734, kNonspacing);
  return classes;
}

constexpr char32_t kTableSize = 0x10000;

}  // namespace

uint8_t classes_of(char32_t c) {
  static const std::vector<uint8_t> table = [] {
    std::vector<uint8_t> classes(kTableSize);
    for (char32_t i = 0; i < kTableSize; ++i) classes[i] = compute(static_cast<UChar32>(i));
    return classes;
  }();
  return c < kTableSize ? table[c] : compute(static_cast<UChar32>(c));
}

bool is_bert_ideograph(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

}  // namespace heed::text
