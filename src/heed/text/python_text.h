// Python's str as templates and tokenizers use it: a text is a row of code points, kept here as valid UTF-8. Pure
// functions; cases and classes of characters are Unicode's, from ICU.
// Source: the Python library reference, "Text Sequence Type" (3.12).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace heed::text {

bool is_python_space(char32_t c);  // str.isspace() of one character

// How many code points a text has.
int64_t count_code_points(std::string_view text);

// The byte at which code point number `index` begins; the text's size if it has fewer.
size_t byte_of_code_point(std::string_view text, int64_t index);

// str.strip, lstrip and rstrip. `characters`: the set that is removed; none: white space.
std::string_view python_strip(std::string_view text, std::optional<std::string_view> characters, bool left, bool right);

// str.split and rsplit, at most `most` times (-1: as often as there is a separator). No separator: runs of white space.
// `separator` must not be empty.
std::vector<std::string_view> python_split(std::string_view text, std::optional<std::string_view> separator,
                                           int64_t most, bool from_right);

std::vector<std::string_view> python_split_lines(std::string_view text, bool keep_ends);

std::string python_upper(std::string_view text);
std::string python_lower(std::string_view text);
std::string python_capitalize(std::string_view text);
std::string python_title(std::string_view text);

// At most `most` replacements (-1: all), left to right. An empty `from` stands before each character and at the end.
std::string python_replace(std::string_view text, std::string_view from, std::string_view to, int64_t most);

// str.isalpha and so on: not empty, and all characters are.
enum class PythonClass { kAlpha, kDigit, kAlphanumeric, kSpace, kNumeric, kDecimal, kAscii };
bool python_is(PythonClass expected, std::string_view text);
bool python_is_lower(std::string_view text);
bool python_is_upper(std::string_view text);

// repr() of a text and of a float.
std::string python_repr(std::string_view text);
std::string python_repr(double value);

}  // namespace heed::text
