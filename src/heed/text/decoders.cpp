#include "heed/text/decoders.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "heed/base/utf8.h"
#include "heed/text/character_class.h"
#include "heed/text/normalizers.h"
#include "heed/text/split_pattern.h"

namespace heed::text::pipeline {
namespace {

// Replaces `from`, which is not empty, wherever it stands.
void replace_all(std::string& text, std::string_view from, std::string_view to) {
  size_t at = text.find(from);
  if (at == std::string::npos) return;
  std::string out;
  size_t begin = 0;
  for (; at != std::string::npos; at = text.find(from, begin)) {
    out.append(text, begin, at - begin).append(to);
    begin = at + from.size();
  }
  text = std::move(out.append(text, begin));
}

class BpeDecoder : public Decoder {
 public:
  explicit BpeDecoder(const JsonPart& part) : suffix_(part.has("suffix") ? part.string("suffix") : "</w>") {
    if (suffix_.empty()) part.at("suffix").refuse("a suffix that is not empty");
  }
  void apply(std::vector<std::string>& tokens) const override {
    for (size_t i = 0; i < tokens.size(); ++i) replace_all(tokens[i], suffix_, i + 1 == tokens.size() ? "" : " ");
  }

 private:
  std::string suffix_;
};

class ByteLevel : public Decoder {
 public:
  void apply(std::vector<std::string>& tokens) const override {
    std::string text;
    for (const std::string& token : tokens) {
      // A token with a character that stands for no byte is text as it is.
      const size_t before = text.size();
      for (size_t at = 0; at < token.size(); at += utf8_length(token[at])) {
        const int byte = byte_of_character(utf8_at(token, at));
        if (byte < 0) {
          text.resize(before);
          text += token;
          break;
        }
        text.push_back(static_cast<char>(byte));
      }
    }
    tokens = {to_valid_utf8(text)};
  }
};

class ByteFallback : public Decoder {
 public:
  // Neighbouring tokens of bytes become text if they are valid UTF-8 together, else one U+FFFD each.
  void apply(std::vector<std::string>& tokens) const override {
    std::vector<std::string> out;
    std::string bytes;
    const auto flush = [&] {
      if (bytes.empty()) return;
      if (is_valid_utf8(bytes)) out.push_back(bytes);
      else out.insert(out.end(), bytes.size(), "\xEF\xBF\xBD");
      bytes.clear();
    };
    for (std::string& token : tokens) {
      if (const int byte = byte_of(token); byte >= 0) {
        bytes.push_back(static_cast<char>(byte));
        continue;
      }
      flush();
      out.push_back(std::move(token));
    }
    flush();
    tokens = std::move(out);
  }

 private:
  static int byte_of(std::string_view token) {
    if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
    unsigned value = 0;
    const auto [end, error] = std::from_chars(token.data() + 3, token.data() + 5, value, 16);
    return error == std::errc() && end == token.data() + 5 ? static_cast<int>(value) : -1;
  }
};

class Fuse : public Decoder {
 public:
  void apply(std::vector<std::string>& tokens) const override {
    std::string text;
    for (const std::string& token : tokens) text += token;
    tokens = {std::move(text)};
  }
};

class Metaspace : public Decoder {
 public:
  explicit Metaspace(const JsonPart& part) {
    append_utf8(replacement_, part.at("replacement").character());
    prepends_ = part.has("prepend_scheme") ? part.string("prepend_scheme") != "never" : true;
    if (!part.boolean("add_prefix_space", true)) prepends_ = false;
  }
  void apply(std::vector<std::string>& tokens) const override {
    for (size_t i = 0; i < tokens.size(); ++i) replace_all(tokens[i], replacement_, i == 0 && prepends_ ? "" : " ");
  }

 private:
  std::string replacement_;
  bool prepends_;
};

class Replace : public Decoder {
 public:
  explicit Replace(const JsonPart& part)
      : pattern_(make_pattern(part.at("pattern"))), content_(part.string("content")) {}
  void apply(std::vector<std::string>& tokens) const override {
    std::vector<Match> matches;
    for (std::string& token : tokens) {
      pattern_->find(token, matches);
      if (std::none_of(matches.begin(), matches.end(), [](const Match& m) { return m.matches; })) continue;
      std::string out;
      for (const Match& match : matches) {
        if (match.matches) out += content_;
        else out.append(token, match.begin, match.end - match.begin);
      }
      token = std::move(out);
    }
  }

 private:
  std::unique_ptr<Pattern> pattern_;
  std::string content_;
};

class Strip : public Decoder {
 public:
  explicit Strip(const JsonPart& part)
      : start_(static_cast<size_t>(part.at("start").integer(0, INT32_MAX))),
        stop_(static_cast<size_t>(part.at("stop").integer(0, INT32_MAX))) {
    append_utf8(content_, part.at("content").character());
  }
  void apply(std::vector<std::string>& tokens) const override {
    for (std::string& token : tokens) {
      std::string_view view = token;
      for (size_t i = 0; i < start_ && view.starts_with(content_); ++i) view.remove_prefix(content_.size());
      for (size_t i = 0; i < stop_ && view.ends_with(content_); ++i) view.remove_suffix(content_.size());
      if (view.size() != token.size()) token = std::string(view);
    }
  }

 private:
  size_t start_, stop_;
  std::string content_;
};

class WordPiece : public Decoder {
 public:
  explicit WordPiece(const JsonPart& part)
      : prefix_(part.has("prefix") ? part.string("prefix") : "##"), cleanup_(part.boolean("cleanup", true)) {}
  void apply(std::vector<std::string>& tokens) const override {
    for (size_t i = 0; i < tokens.size(); ++i) {
      if (i > 0) {
        if (tokens[i].starts_with(prefix_)) tokens[i].erase(0, prefix_.size());
        else tokens[i].insert(tokens[i].begin(), ' ');
      }
      if (cleanup_) clean_up_spaces(tokens[i], true);
    }
  }

 private:
  std::string prefix_;
  bool cleanup_;
};

class Sequence : public Decoder {
 public:
  Sequence(const JsonPart& part, int depth) {
    if (depth >= kMaxNesting) part.refuse("at most " + std::to_string(kMaxNesting) + " sequences within each other");
    const JsonPart parts = part.at("decoders");
    for (size_t i = 0; i < parts.array().size(); ++i) all_.push_back(make_decoder(parts.item(i), depth + 1));
  }
  void apply(std::vector<std::string>& tokens) const override {
    for (const auto& one : all_) one->apply(tokens);
  }

 private:
  std::vector<std::unique_ptr<Decoder>> all_;
};

template <class T>
std::unique_ptr<Decoder> make(const JsonPart& part) {
  if constexpr (std::is_constructible_v<T, const JsonPart&>) return std::make_unique<T>(part);
  else return std::make_unique<T>();
}

constexpr std::pair<std::string_view, std::unique_ptr<Decoder> (*)(const JsonPart&)> kTypes[] = {
    {"BPEDecoder", make<BpeDecoder>}, {"ByteFallback", make<ByteFallback>},
    {"ByteLevel", make<ByteLevel>},   {"Fuse", make<Fuse>},
    {"Metaspace", make<Metaspace>},   {"Replace", make<Replace>},
    {"Strip", make<Strip>},           {"WordPiece", make<WordPiece>},
};

}  // namespace

void clean_up_spaces(std::string& text, bool do_not) {
  static constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},     {" ' ", "'"},
      {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : kRules) {
    if (do_not && from == " 's") replace_all(text, " do not", " don't");
    replace_all(text, from, to);
  }
}

std::unique_ptr<Decoder> make_decoder(const JsonPart& part, int depth) {
  const std::string& type = part.type();
  if (type == "Sequence") return std::make_unique<Sequence>(part, depth);
  for (const auto& [name, make] : kTypes)
    if (type == name) return make(part);
  part.at("type").refuse("a type of decoder that is known");
}

}  // namespace heed::text::pipeline
