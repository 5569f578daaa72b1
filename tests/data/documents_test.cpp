// Documents of text files and JSON lines, with their places.
#include "heed/data/documents.h"

#include <gmock/gmock.h>

#include "made_files.h"
#include "message_of.h"

namespace heed::data {
namespace {

using heed::testing::gzip;
using heed::testing::message_of;
using heed::testing::put;
using heed::testing::zstd;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

struct Read {
  std::vector<std::string> texts, places;
  uint64_t documents = 0, empty = 0;
};

Read read_all(const std::vector<std::filesystem::path>& files, const DocumentOptions& options = {}) {
  DocumentReader reader(files, options);
  Read out;
  for (std::string text; reader.next(text);) {
    out.texts.push_back(text);
    out.places.push_back(std::filesystem::path(reader.where()).filename().string());
  }
  std::string more;
  EXPECT_FALSE(reader.next(more));  // the end stays the end
  out.documents = reader.documents();
  out.empty = reader.empty();
  return out;
}

TEST(Documents, AFileIsOneAndKeepsItsLineEnds) {
  const testing::TemporaryFolder folder;
  const Read read = read_all({put(folder, "a.txt", "\ufeffone\r\n\n two"), put(folder, "b.gz", gzip("three\n\n"))});
  EXPECT_THAT(read.texts, ElementsAre("one\n\n two", "three\n\n"));
  EXPECT_THAT(read.places, ElementsAre("a.txt", "b.gz"));
  EXPECT_EQ(read_text(put(folder, "c", "a\xff\n")), "a\ufffd\n");
  EXPECT_THAT(message_of<DataError>([&] { read_text(put(folder, "c", "\na\xff\n"), {.strict = true}); }),
              HasSubstr("c:2: byte 2 (0xff) is not valid UTF-8"));
}

TEST(Documents, ALineMayBeOne) {
  const testing::TemporaryFolder folder;
  const Read read = read_all({put(folder, "a.txt", "one\n\n\ntwo\r\n"), put(folder, "b.zst", zstd("three"))},
                             {.per = DocumentsPer::kLine});
  EXPECT_THAT(read.texts, ElementsAre("one", "two", "three"));
  EXPECT_THAT(read.places, ElementsAre("a.txt:1", "a.txt:4", "b.zst:1"));
  EXPECT_EQ(read.documents, 3u);
  EXPECT_EQ(read.empty, 2u);
}

TEST(Documents, WhatIsReplacedIsCounted) {
  const testing::TemporaryFolder folder;
  const std::vector<std::filesystem::path> files{put(folder, "a.txt",
                                                     "a\xff\n\xfe"
                                                     "b\n"),
                                                 put(folder, "b.txt", std::string_view("c\0d\n", 4)),
                                                 put(folder, "c.txt", "e")};
  for (const DocumentsPer per : {DocumentsPer::kFile, DocumentsPer::kLine}) {
    DocumentReader reader(files, {.per = per});
    for (std::string text; reader.next(text);) continue;
    EXPECT_EQ(reader.replaced(), 3u);
  }
}

TEST(Documents, NoMoreAreReadThanAskedFor) {
  const testing::TemporaryFolder folder;
  const std::vector<std::filesystem::path> files{put(folder, "a.txt", "one\n\ntwo\n"), put(folder, "b.txt", "three\n")};
  EXPECT_THAT(read_all(files, {.per = DocumentsPer::kLine, .most = 3}).texts, ElementsAre("one", "two", "three"));
  EXPECT_THAT(read_all(files, {.per = DocumentsPer::kLine, .most = 2}).texts, ElementsAre("one", "two"));
  EXPECT_THAT(read_all(files, {.most = 1}).texts, ElementsAre("one\n\ntwo\n"));
}

TEST(Documents, JsonLines) {
  const testing::TemporaryFolder folder;
  const std::string file =
      put(folder, "a.jsonl", "{\"text\": \"a\\nb\"}\n{\"text\": \"\"}\n{\"text\": \"c\", \"n\": 1}\n");
  const Read read = read_all({file, put(folder, "b.txt", "d\n")});
  EXPECT_THAT(read.texts, ElementsAre("a\nb", "c", "d\n"));
  EXPECT_THAT(read.places, ElementsAre("a.jsonl:1", "a.jsonl:3", "b.txt"));
  EXPECT_EQ(read.empty, 1u);
  EXPECT_THAT(message_of<DataError>([&] { read_all({file}, {.text_key = "body"}); }),
              EndsWith("a.jsonl:1: the key \"body\" is missing"));
  EXPECT_THAT(message_of<DataError>([&] { read_all({file}, {.text_key = "n"}); }),
              EndsWith("the key \"n\" is missing"));
  EXPECT_THAT(message_of<DataError>([&] { read_all({put(folder, "c.jsonl", "{\"text\": \"a\"}\n{\"text\"\n")}); }),
              HasSubstr("c.jsonl:2: not valid JSON"));
  EXPECT_THAT(message_of<DataError>([&] { read_all({put(folder, "c.jsonl", "{\"text\": 3}\n")}); }),
              HasSubstr("c.jsonl:1: \"text\": expected a string, got a number"));
}

TEST(Documents, FilesWithoutTextAreErrors) {
  const testing::TemporaryFolder folder;
  const std::string good = put(folder, "a.txt", "a"), empty = put(folder, "b.txt", "");
  EXPECT_THAT(message_of<DataError>([&] { read_all({good, empty}); }), EndsWith("b.txt: holds no text"));
  EXPECT_THAT(message_of<DataError>([&] { read_all({put(folder, "c.txt", "\n\n")}, {.per = DocumentsPer::kLine}); }),
              EndsWith("c.txt: holds no text"));
  EXPECT_THAT(message_of<DataError>([&] { read_all({folder / "none.txt"}); }), HasSubstr("none.txt: no such file"));
  EXPECT_THAT(message_of<UsageError>([] { DocumentReader({}); }), HasSubstr("no files"));
}

TEST(Documents, Shakespeare) {
  HEED_NEEDS_SHARED("data/shakespeare");
  const std::filesystem::path file = testing::shared_path("data/shakespeare/input.txt.gz");
  EXPECT_EQ(read_all({file}).texts.at(0).size(), 1115394u);
  const Read lines = read_all({file}, {.per = DocumentsPer::kLine});
  EXPECT_EQ(lines.empty, 7223u);
  EXPECT_EQ(lines.documents + lines.empty, 40000u);
}

}  // namespace
}  // namespace heed::data
