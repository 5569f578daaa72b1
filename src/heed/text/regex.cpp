#include "heed/text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <cctype>
#include <utility>

#include "heed/base/error.h"
#include "heed/text/character_class.h"

namespace heed::text {
namespace {

// Steps that one search may take; a sane expression needs few for each character.
constexpr uint32_t kMatchLimit = 10'000'000;
constexpr size_t kMaxExpressionBytes = 4096;

constexpr std::string_view kWordSet = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";
constexpr std::string_view kSpaceSet = "\\x{9}-\\x{D}\\x{85}\\p{Z}";

// General categories that PCRE2 knows only by their short names.
constexpr std::pair<std::string_view, std::string_view> kLongNames[] = {
    {"Letter", "L"}, {"Mark", "M"},      {"Number", "N"}, {"Punctuation", "P"},
    {"Symbol", "S"}, {"Separator", "Z"}, {"Other", "C"},  {"Punct", "P"}};

class Translator {
 public:
  Translator(std::string_view expression, const std::string& where) : in_(expression), where_(where) {}

  std::string run() {
    while (at_ < in_.size()) {
      const char c = in_[at_];
      if (c == '\\') escape(false);
      else if (c == '[') set();
      else {
        out_ += c;
        ++at_;
      }
    }
    return std::move(out_);
  }

 private:
  [[noreturn]] void refuse(std::string_view what) const {
    fail<FormatError>("{}: the regular expression \"{}\" has {}", where_, in_, what);
  }

  void escape(bool in_set) {
    if (at_ + 1 >= in_.size()) refuse("a backslash at its end");
    const char c = in_[at_ + 1];
    const auto put = [&](std::string_view set, bool negated) {
      if (in_set && negated) out_.append(in_, at_, 2);  // the difference is U+180E
      else if (in_set) out_ += set;
      else out_.append(negated ? "[^" : "[").append(set) += ']';
      at_ += 2;
    };
    if (c == 'w' || (c == 'W' && !in_set)) return put(kWordSet, c == 'W');
    if (c == 's' || c == 'S') return put(kSpaceSet, c == 'S');
    if (c == 'h') return put("0-9A-Fa-f", false);
    if (c == 'W') refuse("\\W within a set, which is not supported");
    if ((c == 'p' || c == 'P') && at_ + 2 < in_.size() && in_[at_ + 2] == '{') return property(c);
    out_.append(in_, at_, 2);
    at_ += 2;
  }

  void property(char kind) {
    const size_t end = in_.find('}', at_);
    if (end == std::string_view::npos) refuse("a property without an end");
    std::string_view name = in_.substr(at_ + 3, end - at_ - 3);
    const bool negated = !name.empty() && name[0] == '^';
    if (negated) name.remove_prefix(1);
    for (const auto& [long_name, short_name] : kLongNames)
      if (name == long_name) name = short_name;
    out_.append("\\").append(1, kind).append(negated ? "{^" : "{");
    // PCRE2 takes a script's bare name for its extensions.
    const auto is_script = [&] {
      int code = 0;
      size_t offset = 0;
      const std::string probe = "\\p{sc:" + std::string(name) + "}";
      pcre2_code* compiled =
          pcre2_compile(reinterpret_cast<PCRE2_SPTR>(probe.data()), probe.size(), PCRE2_UTF, &code, &offset, nullptr);
      pcre2_code_free(compiled);
      return compiled != nullptr;
    };
    if (name.size() > 2 && is_script()) out_ += "sc:";
    out_.append(name) += '}';
    at_ = end + 1;
  }

  void set() {
    out_ += in_[at_++];
    if (at_ < in_.size() && in_[at_] == '^') out_ += in_[at_++];
    bool first = true;
    while (at_ < in_.size() && (in_[at_] != ']' || first)) {
      if (in_[at_] == '\\') escape(true);
      else if (in_.substr(at_).starts_with("&&")) refuse("an intersection of sets, which is not supported");
      else if (in_.substr(at_).starts_with("[:")) named_set();
      else if (in_[at_] == '[') refuse("a set within a set, which is not supported");
      else out_ += in_[at_++];
      first = false;
    }
    if (at_ >= in_.size()) refuse("a set without an end");
    out_ += in_[at_++];
  }

  void named_set() {
    const size_t end = in_.find(":]", at_ + 2);
    if (end == std::string_view::npos) refuse("a named set without an end");
    out_.append(in_, at_, end + 2 - at_);
    at_ = end + 2;
  }

  std::string_view in_;
  const std::string& where_;
  std::string out_;
  size_t at_ = 0;
};

// Kept per thread.
struct MatchState {
  pcre2_match_data* data = pcre2_match_data_create(16, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(32 << 10, 4 << 20, nullptr);
  MatchState() {
    pcre2_set_match_limit(context, kMatchLimit);
    pcre2_set_depth_limit(context, 100'000);
    pcre2_set_heap_limit(context, 64 << 10);  // in KiB
    pcre2_jit_stack_assign(context, nullptr, stack);
  }
  MatchState(const MatchState&) = delete;
  MatchState& operator=(const MatchState&) = delete;
  ~MatchState() {
    pcre2_jit_stack_free(stack);
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
  }
};

std::string pcre2_message(int code) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

}  // namespace

struct Regex::Code {
  pcre2_code* compiled = nullptr;
  std::string expression;
  Code() = default;
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;
  ~Code() { pcre2_code_free(compiled); }
};

std::string to_pcre2(std::string_view expression, const std::string& where) {
  return Translator(expression, where).run();
}

Regex::Regex(std::string_view expression, const std::string& where) {
  check<FormatError>(expression.size() <= kMaxExpressionBytes,
                     "{}: expected a regular expression of at most {} bytes, got {}", where, kMaxExpressionBytes,
                     expression.size());
  const std::string translated = to_pcre2(expression, where);
  auto code = std::make_unique<Code>();
  code->expression = expression;
  int error = 0;
  size_t offset = 0;
  pcre2_compile_context* context = pcre2_compile_context_create(nullptr);
  pcre2_set_newline(context, PCRE2_NEWLINE_LF);
  pcre2_set_parens_nest_limit(context, 50);
  code->compiled =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &offset, context);
  pcre2_compile_context_free(context);
  check<FormatError>(code->compiled, "{}: the regular expression \"{}\" is malformed or not supported: {} at byte {}",
                     where, expression, code->compiled ? "" : pcre2_message(error), offset);
  pcre2_jit_compile(code->compiled, PCRE2_JIT_COMPLETE);  // without, it is interpreted
  code_ = std::move(code);
}

Regex::~Regex() = default;

bool Regex::find(std::string_view text, size_t at, bool first, size_t& begin, size_t& end) const {
  thread_local const MatchState state;
  for (size_t from = at; from <= text.size();) {
    const auto match = [&](uint32_t options) {
      return pcre2_match(code_->compiled, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                         options | PCRE2_NO_UTF_CHECK, state.data, state.context);
    };
    int result = match(0);
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) result = match(PCRE2_NO_JIT);
    if (result == PCRE2_ERROR_NOMATCH) return false;
    check<DataError>(result >= 0, "the tokenizer's regular expression \"{}\" failed on a text of {} bytes: {}",
                     code_->expression, text.size(), result >= 0 ? "" : pcre2_message(result));
    const size_t* span = pcre2_get_ovector_pointer(state.data);
    // \K can set the begin behind the end.
    begin = span[0] > span[1] ? span[1] : span[0];
    end = span[1];
    if (begin != end || end != at || first) return true;
    if (from >= text.size()) return false;
    from += utf8_length(text[from]);
  }
  return false;
}

}  // namespace heed::text
