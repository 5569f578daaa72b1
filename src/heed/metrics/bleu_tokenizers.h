// The tokenizers of BLEU, string for string those of sacreBLEU 2.6: mteval-v13a ("13a", the default), mteval-v14's
// international one ("intl"), single characters ("char"), Chinese ("zh"), and white space alone ("none").
//
// Input is one line of UTF-8, malformed parts count as U+FFFD; output is tokens with white space between. Linear in
// the line, pure functions. Character classes are Unicode 15 (ICU 72); sacreBLEU takes those of the installed Python
// package `regex`, so "intl" may differ on characters that one of the two does not know yet.
#pragma once

#include <string>
#include <string_view>

namespace heed::metrics {

enum class BleuTokenizer { k13a, kIntl, kChar, kZh, kNone };

// By its name in signatures and options. Throws UsageError with the list of names.
BleuTokenizer bleu_tokenizer(std::string_view name);
std::string_view bleu_tokenizer_name(BleuTokenizer tokenizer);

std::string tokenize(BleuTokenizer tokenizer, std::string_view line);

}  // namespace heed::metrics
