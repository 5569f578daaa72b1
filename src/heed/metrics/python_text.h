// The few methods of Python's str that published scores rest on: split(), strip(), rstrip(), lower().
//
// What counts as white space is Python's rule (bidirectional class WS, B or S, or category Zs), which is not ICU's: it
// takes U+001C to U+001F. Text is UTF-8; malformed parts are no white space. Pure functions, linear in the text.
// lower() knows Unicode 15 (ICU 72), with the final sigma and the dotted capital I as Python has them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace heed::metrics {

// str.isspace() of one code point.
bool is_space(char32_t c);

// str.split(): the parts between runs of white space, none of them empty.
std::vector<std::string_view> split_words(std::string_view text);

// str.rstrip() and str.strip().
std::string_view strip_right(std::string_view text);
std::string_view strip(std::string_view text);

// str.lower(). Malformed parts become U+FFFD. Throws DataError beyond 512 MB.
std::string to_lower(std::string_view text);

}  // namespace heed::metrics
