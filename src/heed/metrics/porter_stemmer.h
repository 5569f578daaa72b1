// English word stems by Porter's algorithm (Porter, "An algorithm for suffix stripping", Program 14(3), 1980), with the
// changes that NLTK's PorterStemmer makes by default, because published ROUGE scores rest on it. A pure function.
#pragma once

#include <string>
#include <string_view>

namespace heed::metrics {

// The stem of `word`, which is lower case ASCII letters and digits. Linear in the word.
std::string porter_stem(std::string_view word);

}  // namespace heed::metrics
