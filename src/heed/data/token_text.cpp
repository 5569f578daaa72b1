#include "heed/data/token_text.h"

#include <sys/stat.h>

#include <algorithm>

#include "heed/base/error.h"
#include "heed/base/log.h"
#include "heed/base/sha256.h"
#include "heed/base/threads.h"
#include "heed/io/xxh64.h"

namespace heed::data {
namespace fs = std::filesystem;
namespace {

constexpr size_t kPart = 1 << 20;      // bytes of a document that are encoded at once
constexpr size_t kPending = 16 << 20;  // bytes that wait to be encoded together

// Where a text that is longer than kPart is cut: before the last space between two words, else behind the last line,
// else anywhere between two characters.
size_t cut_of(std::string_view text) {
  const auto is_space = [&](size_t i) { return text[i] == ' ' || (text[i] >= '\t' && text[i] <= '\r'); };
  for (size_t i = kPart; i > kPart / 2; --i)
    if (text[i] == ' ' && !is_space(i - 1) && i + 1 < text.size() && !is_space(i + 1)) return i;
  if (const size_t line = text.rfind('\n', kPart - 1); line != std::string_view::npos) return line + 1;
  size_t i = kPart;
  while ((text[i] & 0xC0) == 0x80) --i;
  return i;
}

// 2 id + 1 where a word begins, else 2 id.
std::vector<int32_t> marked(const text::TokenizedText& tokens) {
  std::vector<int32_t> marks;
  for (size_t i = 0; i < tokens.ids.size(); ++i)
    marks.push_back(2 * tokens.ids[i] + (i == 0 || tokens.words.at(i) != tokens.words.at(i - 1)));
  return marks;
}

class StreamEncoder {
 public:
  StreamEncoder(const text::Tokenizer& tokenizer, const TokenTextOptions& options, TokenWriter& writer)
      : tokenizer_(tokenizer), options_(options), frame_(frame_of(tokenizer)), writer_(writer) {
    const int32_t end = end_token_of(tokenizer);
    if (options.document_marks) end_.push_back(document_mark(tokenizer, options));
    else if (options.end_token && end >= 0) end_.push_back(options.word_marks ? 2 * end + 1 : end);
  }

  void add(std::string_view text, const std::string& place) {
    ++counts_.documents;
    counts_.bytes += text.size();
    for (bool first = true; !text.empty(); first = false) {
      const size_t length = text.size() <= kPart ? text.size() : cut_of(text);
      pending_.push_back({std::string(text.substr(0, length)), place, first, {}});
      pending_bytes_ += length;
      text.remove_prefix(length);
    }
    if (pending_bytes_ >= kPending) flush();
  }

  TextCounts finish() {
    flush();
    return counts_;
  }

 private:
  struct Part {
    std::string text, place;
    bool first = false;  // of its document
    std::vector<int32_t> ids;
  };

  std::vector<int32_t> ids_of(const Part& part) const {
    if (options_.word_marks) return marked(tokenizer_.tokenize(part.text, false));
    // Much faster than tokenize(), which knows where each token comes from.
    std::vector<int32_t> ids = tokenizer_.encode(part.text);
    check<DataError>(ids.size() >= frame_.size(), "the tokenizer gave {} tokens", ids.size());
    ids.resize(ids.size() - frame_.behind.size());
    if (!part.first || !options_.begin_token)
      ids.erase(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(frame_.before.size()));
    return ids;
  }

  void flush() {
    parallel_for(static_cast<int64_t>(pending_.size()), 1, [&](int64_t begin, int64_t end, int) {
      for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
        naming_place(pending_[i], [&] { pending_[i].ids = ids_of(pending_[i]); });
    });
    for (const Part& part : pending_) naming_place(part, [&] { write(part); });
    pending_.clear();
    pending_bytes_ = 0;
  }

  void write(const Part& part) {
    begins_ = begins_ || part.first;
    if (part.ids.empty()) return;  // white space, to most tokenizers
    if (begins_ && writer_.size() > 0) writer_.append(end_);
    begins_ = false;
    writer_.append(part.ids);
  }

  template <class F>
  static void naming_place(const Part& part, const F& f) {
    try {
      f();
    } catch (const DataError& error) {
      fail<DataError>("{}: {}", part.place, error.what());
    }
  }

  const text::Tokenizer& tokenizer_;
  const TokenTextOptions& options_;
  const TextFrame frame_;
  std::vector<int32_t> end_;  // between documents: one token, or none
  TokenWriter& writer_;
  std::vector<Part> pending_;
  size_t pending_bytes_ = 0;
  bool begins_ = false;  // whether what is written next is the first of its document
  TextCounts counts_;
};

// --- the cache
// --------------------------------------------------------------------------------------------------------

std::string hash_of(const fs::path& path) {
  const ReadableFile file(path);
  io::Xxh64 hash;
  std::vector<std::byte> block(1 << 20);
  for (uint64_t at = 0; at < file.size(); at += block.size()) {
    const auto part = std::span(block).first(std::min<size_t>(block.size(), file.size() - at));
    file.read_at(at, part);
    hash.update(part);
  }
  return fmt::format("{:016x}", hash.digest());
}

// Size and time of each file, in nanoseconds; its hash where it is asked for.
Json states_of(const std::vector<fs::path>& files, bool hashes) {
  Json states = Json::array();
  for (const fs::path& file : files) {
    struct stat info {};
    check<IoError>(::stat(file.c_str(), &info) == 0, "{}: cannot stat: {}", file.string(), errno_text(errno));
    Json state{{"size", info.st_size}, {"time", fmt::format("{}.{:09}", info.st_mtim.tv_sec, info.st_mtim.tv_nsec)}};
    if (hashes) state["hash"] = hash_of(file);
    states.push_back(std::move(state));
  }
  return states;
}

// Whether the files are those that a stream was made of.
bool are_the_same(const std::vector<fs::path>& files, const Json& before) {
  const Json now = states_of(files, false);
  if (!before.is_array() || before.size() != now.size()) return false;
  for (size_t i = 0; i < now.size(); ++i) {
    if (now[i]["size"] != before[i].value("size", Json())) return false;
    if (now[i]["time"] != before[i].value("time", Json()) && hash_of(files[i]) != before[i].value("hash", ""))
      return false;
  }
  return true;
}

std::optional<TokenStream> cached(const fs::path& file, const std::vector<fs::path>& files) {
  if (!fs::exists(file)) return std::nullopt;
  try {
    TokenStream stream = TokenStream::open(file);
    if (stream.of().is_object() && are_the_same(files, stream.of().value("states", Json()))) return stream;
  } catch (const FormatError& error) {
    log().warn("{}; the text is encoded again", error.what());
  }
  return std::nullopt;
}

TokenStream encode_into(TokenWriter& writer, const TextSource& text, const text::Tokenizer& tokenizer,
                        const TokenTextOptions& options, Json of) {
  StreamEncoder encoder(tokenizer, options, writer);
  text.read([&](std::string_view document, const std::string& place) { encoder.add(document, place); });
  const TextCounts counts = encoder.finish();
  return writer.finish(counts, std::move(of));
}

}  // namespace

TextFrame frame_of(const text::Tokenizer& tokenizer) {
  TextFrame frame;
  const text::TokenizedText sample = tokenizer.tokenize("a");
  const auto added = [&](size_t i) { return i < sample.texts.size() && sample.texts[i] < 0; };
  size_t begin = 0, end = sample.ids.size();
  while (begin < end && added(begin)) frame.before.push_back(sample.ids[begin++]);
  while (end > begin && added(end - 1)) --end;
  frame.behind.assign(sample.ids.begin() + static_cast<ptrdiff_t>(end), sample.ids.end());
  return frame;
}

int32_t end_token_of(const text::Tokenizer& tokenizer) {
  if (tokenizer.eos_id() >= 0) return tokenizer.eos_id();
  const TextFrame frame = frame_of(tokenizer);
  return frame.behind.empty() ? -1 : frame.behind.back();
}

int32_t document_mark(const text::Tokenizer& tokenizer, const TokenTextOptions& options) {
  return tokenizer.vocab_size() * (options.word_marks ? 2 : 1);
}

TokenStream encode_text(const TextSource& text, const text::Tokenizer& tokenizer, const TokenTextOptions& options) {
  const int32_t values = document_mark(tokenizer, options) + options.document_marks;
  if (options.cache.empty()) {
    TokenWriter writer(values);
    return encode_into(writer, text, tokenizer, options, nullptr);
  }
  const Json wanted{{"text", text.json()},
                    {"tokenizer", options.tokenizer},
                    {"end-token", options.end_token},
                    {"begin-token", options.begin_token},
                    {"word-marks", options.word_marks},
                    {"document-marks", options.document_marks}};
  const fs::path file = options.cache / (sha256_hex(wanted.dump()).substr(0, 24) + ".tokens");
  if (auto stream = cached(file, text.files())) {
    log().info("{} tokens are read from {}", stream->size(), file.string());
    return *stream;
  }
  std::error_code error;
  fs::create_directories(options.cache, error);
  check<IoError>(!error, "{}: cannot create: {}", options.cache.string(), error.message());
  Json of{{"wanted", wanted}, {"states", states_of(text.files(), true)}};
  TokenWriter writer(values, file);
  return encode_into(writer, text, tokenizer, options, std::move(of));
}

}  // namespace heed::data
