// TextSource: the documents of text files, all of them or the part before or behind a cut. What is held out of a text
// is its end: of n characters in all documents together the first int((1 - share) n) stay, wherever that cuts.
//
// Each read() opens the files anew, so a source may be read as often as need be; the first one to the end warns of what
// is not UTF-8. Copies share what they know of the text. Not thread-safe.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "heed/base/json.h"
#include "heed/data/documents.h"

namespace heed::data {

class TextSource {
 public:
  // Of a document, and of where it stands: "FILE", or "FILE:LINE".
  using Visit = std::function<void(std::string_view text, const std::string& place)>;

  explicit TextSource(std::vector<std::filesystem::path> files, DocumentOptions options = {});

  // What stays and what is held out, 0 < share < 1. The text is read for that when either is first read.
  std::pair<TextSource, TextSource> split(double share) const;

  // Calls `visit` for each document, or for its part. Throws what DocumentReader throws, and DataError if this part
  // of the text is empty.
  void read(const Visit& visit) const;

  const std::vector<std::filesystem::path>& files() const;
  // Which files and which part of them this is.
  Json json() const;

 private:
  struct Text;
  enum class Part : uint8_t { kAll, kKept, kHeldOut };

  TextSource(std::shared_ptr<Text> text, Part part) : text_(std::move(text)), part_(part) {}

  std::shared_ptr<Text> text_;
  Part part_ = Part::kAll;
};

}  // namespace heed::data
