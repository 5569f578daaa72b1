// Where the sentences of a text begin and end, by Unicode's rules (UAX 29) as ICU has them: language-independent,
// without a list of abbreviations.
#pragma once

#include <string_view>
#include <vector>

namespace heed::text {

// The sentences of a text, in order, without the white space around them; none is empty. Views of `text`.
std::vector<std::string_view> split_sentences(std::string_view text);

// The text without white space at both ends.
std::string_view trimmed(std::string_view text);

}  // namespace heed::text
