// Fuzzes what reads the files that people train on (libFuzzer): lines, plain, gzip or zstd; tables; words with tags;
// questions; IDX files. Every reader sees every file.
//
// Only DataError and FormatError may come out. What is accepted must be what the reader's header promises.
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "heed/base/error.h"
#include "heed/base/utf8.h"
#include "heed/data/conll.h"
#include "heed/data/idx.h"
#include "heed/data/squad.h"
#include "heed/data/tables.h"
#include "heed/text/line_reader.h"
#include "require.h"

namespace {

namespace fs = std::filesystem;
using namespace heed;

template <class Body>
void attempt(Body body) {
  try {
    body();
  } catch (const DataError&) {
  } catch (const FormatError&) {}
}

// A file in memory that is written anew for each input, and names for it with the endings that tables are told by.
class InputFile {
 public:
  InputFile() : folder_(fs::path("/dev/shm") / ("heed-fuzz-" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
    std::ofstream(folder_ / "input");
    for (const char* ending : {".tsv", ".csv", ".jsonl"})
      fs::create_symlink("input", folder_ / ("input" + std::string(ending)));
  }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile() { fs::remove_all(folder_); }

  void write(const uint8_t* data, size_t size) {
    std::ofstream(folder_ / "input", std::ios::binary)
        .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  }
  std::string path(const std::string& ending = "") const { return (folder_ / ("input" + ending)).string(); }

 private:
  fs::path folder_;
};

void read_lines(const std::string& path) {
  text::LineReader reader(path, {.max_line_bytes = 1 << 24});
  uint64_t count = 0;
  for (std::string line; reader.next(line); ++count) {
    require(is_valid_utf8(line) && line.find('\n') == std::string::npos && line.find('\0') == std::string::npos);
    require(line.size() <= reader.report().longest);
  }
  require(reader.report().lines == count);
}

void read_table(const std::string& path, bool header) {
  const data::Table table = data::Table::read(path, {.header = header, .max_rows = 1000});
  require(table.rows() > 0);
  for (size_t row = 0; row < table.rows(); ++row) {
    for (size_t column = 0; column < table.columns().size(); ++column) {
      attempt([&] { require(is_valid_utf8(table.cell(row, column))); });
      attempt([&] { table.list(row, column); });
      attempt([&] { table.numbers(row, column); });
    }
    require(table.line(row) > 0);
  }
}

void check_tagged(data::TaggedText text) {
  require(!text.sentences.empty());
  for (const data::TaggedSentence& s : text.sentences) require(!s.words.empty() && s.words.size() == s.tags.size());
  data::convert_to_bio(text);
}

void read_squad(const std::string& path) {
  const data::SquadData squad = data::read_squad(path);
  require(!squad.questions.empty());
  for (const data::SquadQuestion& question : squad.questions) {
    require(question.answers.empty() == question.impossible);
    for (const data::SquadAnswer& answer : question.answers) {
      require(answer.begin >= 0 && question.context < squad.contexts.size());
      require(squad.contexts[question.context].find(answer.text) != std::string::npos);
    }
  }
}

void read_idx(const std::string& path) {
  const data::IdxImages images = data::read_idx_images(path);
  require(images.pixels.size() ==
          static_cast<size_t>(images.count) * static_cast<size_t>(images.height) * static_cast<size_t>(images.width));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static InputFile file;
  file.write(data, size);
  attempt([&] { read_lines(file.path()); });
  for (const bool header : {true, false})
    for (const char* ending : {".tsv", ".csv", ".jsonl"}) attempt([&] { read_table(file.path(ending), header); });
  attempt([&] { check_tagged(heed::data::read_conll(file.path())); });
  attempt([&] { check_tagged(heed::data::read_tagged_jsonl(file.path())); });
  attempt([&] { read_squad(file.path()); });
  attempt([&] { read_idx(file.path()); });
  attempt([&] { heed::data::read_idx_labels(file.path()); });
  return 0;
}
