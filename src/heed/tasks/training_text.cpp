#include "heed/tasks/training_text.h"

#include <unistd.h>

#include <algorithm>

#include "heed/base/files.h"
#include "heed/base/sha256.h"

namespace heed::tasks {
namespace fs = std::filesystem;

TrainingText training_text(const std::vector<fs::path>& train, const std::vector<fs::path>& valid, double fraction,
                           const data::DocumentOptions& documents) {
  check<UsageError>(valid.empty() || fraction == 0, "give --valid or --valid-fraction, not both");
  data::TextSource all(train, documents);
  if (!valid.empty()) {
    data::DocumentOptions whole = documents;
    whole.most = 0;
    return {std::move(all), data::TextSource(valid, std::move(whole))};
  }
  if (fraction == 0) return {std::move(all), std::nullopt};
  auto [kept, held_out] = all.split(fraction);
  return {std::move(kept), std::move(held_out)};
}

TextPieces pieces_of(const data::TextSource& text) {
  return [text](const std::function<void(std::string_view)>& piece) {
    constexpr size_t kPiece = 1 << 16;
    text.read([&](std::string_view document, const std::string&) {
      while (document.size() > kPiece) {
        const size_t line = document.rfind('\n', kPiece - 1);
        size_t length = line == std::string_view::npos ? kPiece : line + 1;
        while ((document[length] & 0xC0) == 0x80) --length;
        piece(document.substr(0, length));
        document.remove_prefix(length);
      }
      piece(document);
    });
  };
}

std::string described(const data::TokenStream& stream) {
  const data::TextCounts& counts = stream.counts();
  return fmt::format("{} tokens ({} bytes in {} {})", stream.size(), counts.bytes, counts.documents,
                     counts.documents == 1 ? "document" : "documents");
}

std::string fingerprint_of(const StartedModel& started) {
  // Files are all that tokenizers have in common.
  const fs::path folder = fs::temp_directory_path() / fmt::format("heed-tokenizer-{}", ::getpid());
  fs::create_directories(folder);
  std::string all;
  try {
    started.save_inputs(folder);
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) all += file.filename().string() + ' ' + sha256_of_file(file) + '\n';
  } catch (...) {
    fs::remove_all(folder);
    throw;
  }
  fs::remove_all(folder);
  return sha256_hex(all);
}

}  // namespace heed::tasks
