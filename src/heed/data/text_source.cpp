#include "heed/data/text_source.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "heed/base/error.h"
#include "heed/base/log.h"
#include "heed/text/character_class.h"

namespace heed::data {
namespace {

// The bytes of the first `characters` code points of valid UTF-8.
size_t prefix_bytes(std::string_view text, uint64_t characters) {
  size_t at = 0;
  for (; characters > 0 && at < text.size(); --characters) at += text::utf8_length(text[at]);
  return at;
}

uint64_t count_characters(std::string_view text) {
  return static_cast<uint64_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

struct TextSource::Text {
  std::vector<std::filesystem::path> files;
  DocumentOptions options;
  double share = 0;             // that is held out
  std::optional<uint64_t> cut;  // characters that stay, once they are counted
  bool warned = false;          // of what is not UTF-8

  void each(const Visit& visit) {
    DocumentReader reader(files, options);
    for (std::string text; reader.next(text);) visit(text, reader.where());
    if (std::exchange(warned, true) || reader.replaced() == 0) return;
    log().warn("{}{}: {} parts that are not UTF-8 became U+FFFD", files.front().string(),
               files.size() > 1 ? fmt::format(" and {} more", files.size() - 1) : "", reader.replaced());
  }

  uint64_t find_cut() {
    if (cut) return *cut;
    uint64_t characters = 0;
    each([&](std::string_view text, const std::string&) { characters += count_characters(text); });
    cut = static_cast<uint64_t>(static_cast<double>(characters) * (1 - share));
    return *cut;
  }
};

TextSource::TextSource(std::vector<std::filesystem::path> files, DocumentOptions options)
    : text_(std::make_shared<Text>(Text{std::move(files), std::move(options), 0, {}, false})) {}

std::pair<TextSource, TextSource> TextSource::split(double share) const {
  check<UsageError>(share > 0 && share < 1, "--valid-fraction is {}; it lies between 0 and 1", share);
  const auto text = std::make_shared<Text>(Text{text_->files, text_->options, share, {}, text_->warned});
  return {TextSource(text, Part::kKept), TextSource(text, Part::kHeldOut)};
}

const std::vector<std::filesystem::path>& TextSource::files() const { return text_->files; }

void TextSource::read(const Visit& visit) const {
  const uint64_t cut = part_ == Part::kAll ? 0 : text_->find_cut();
  const uint64_t begin = part_ == Part::kHeldOut ? cut : 0;
  const uint64_t end = part_ == Part::kKept ? cut : std::numeric_limits<uint64_t>::max();
  uint64_t at = 0;  // characters before the document
  bool any = false;
  text_->each([&](std::string_view text, const std::string& place) {
    std::string_view part = text;
    if (part_ != Part::kAll) {
      const uint64_t length = count_characters(text), first = std::clamp(begin, at, at + length) - at,
                     last = std::clamp(end, at, at + length) - at;
      const size_t from = first == 0 ? 0 : prefix_bytes(text, first);
      const size_t to = last == length ? text.size() : prefix_bytes(text, last);
      part = text.substr(from, to - from);
      at += length;
    }
    if (part.empty()) return;
    any = true;
    visit(part, place);
  });
  const char* what = part_ == Part::kAll ? "" : part_ == Part::kKept ? " before what is held out" : " to hold out";
  check<DataError>(any, "{}: holds no text{}", text_->files.front().string(), what);
}

Json TextSource::json() const {
  Json files = Json::array();
  for (const auto& file : text_->files) files.push_back(std::filesystem::absolute(file).lexically_normal().string());
  const DocumentOptions& o = text_->options;
  Json json{{"files", std::move(files)},
            {"document-per", o.per == DocumentsPer::kLine ? "line" : "file"},
            {"text-key", o.text_key},
            {"most", o.most}};
  if (part_ == Part::kAll) return json;
  json["share"] = text_->share;
  json["part"] = part_ == Part::kKept ? "kept" : "held out";
  return json;
}

}  // namespace heed::data
