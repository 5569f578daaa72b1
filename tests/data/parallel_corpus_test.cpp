#include "heed/data/parallel_corpus.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "made_files.h"
#include "message_of.h"

namespace heed::data {
namespace {

using heed::testing::gzip;
using heed::testing::message_of;
using heed::testing::put;
using heed::testing::zstd;
using ::testing::HasSubstr;
using std::string_literals::operator""s;

TEST(ParallelCorpus, PairsOfTwoFilesAreCleaned) {
  testing::TemporaryFolder folder;
  const auto corpus = ParallelCorpus::from_files(put(folder, "s", "\ufeffone\r\ntwo\twords\n\nfo\xffur\n"),
                                                 put(folder, "t", zstd("eins\nzwei\ndrei\n\0vier"s)));
  ASSERT_EQ(corpus.size(), 4u);
  EXPECT_EQ(corpus.pair(3), (TextPair{"fo\ufffdur", "\ufffdvier"}));
  EXPECT_EQ(corpus.pair(0), (TextPair{"one", "eins"}));
  EXPECT_EQ(corpus.pair(1), (TextPair{"two\twords", "zwei"}));
  EXPECT_EQ(corpus.pair(2), (TextPair{"", "drei"}));
  ASSERT_EQ(corpus.files().size(), 2u);
  EXPECT_EQ(corpus.files()[0].report(),
            (text::LineReport{.lines = 4, .empty = 1, .crlf = 1, .bom = 1, .invalid_utf8 = 1, .longest = 9}));
  EXPECT_EQ(corpus.files()[1].report(), (text::LineReport{.lines = 4, .nul = 1, .longest = 7}));
  EXPECT_EQ(corpus.files()[1].compression(), text::Compression::kZstd);
}

TEST(ParallelCorpus, ATsvHasTwoColumns) {
  testing::TemporaryFolder folder;
  for (const bool packed : {false, true}) {
    const std::string text = "\ufeffone\teins\r\n\tleft empty\nright empty\t\n\xff\t\0"s;
    const auto corpus = ParallelCorpus::from_tsv(put(folder, "x.tsv", packed ? gzip(text) : text));
    ASSERT_EQ(corpus.size(), 4u);
    EXPECT_EQ(corpus.pair(0), (TextPair{"one", "eins"}));
    EXPECT_EQ(corpus.pair(1), (TextPair{"", "left empty"}));
    EXPECT_EQ(corpus.pair(2), (TextPair{"right empty", ""}));
    EXPECT_EQ(corpus.pair(3), (TextPair{"\ufffd", "\ufffd"}));
    EXPECT_EQ(corpus.files().size(), 1u);
  }
}

TEST(ParallelCorpus, WrongColumnsNameTheLine) {
  testing::TemporaryFolder folder;
  const auto reason = [&](std::string_view text) {
    return message_of<DataError>([&] { ParallelCorpus::from_tsv(put(folder, "x.tsv", text)); });
  };
  EXPECT_THAT(reason("a\tb\nc\nd\te\n"), HasSubstr("x.tsv:2: has 1 columns, expected 2"));
  EXPECT_THAT(reason("a\tb\tc\n"), HasSubstr("x.tsv:1: has 3 columns"));
  EXPECT_THAT(reason("a\tb\n\n"), HasSubstr("x.tsv:2: has 1 columns"));
  EXPECT_EQ(reason("a\tb"), "no error");
}

TEST(ParallelCorpus, UnequalNumbersOfLinesAreAnErrorWithBoth) {
  testing::TemporaryFolder folder;
  const auto reason = [&](std::string_view source, std::string_view target) {
    return message_of<DataError>(
        [&] { ParallelCorpus::from_files(put(folder, "s", source), put(folder, "t", target)); });
  };
  const std::string s = (folder / "s").string(), t = (folder / "t").string();
  EXPECT_THAT(reason("1\n2\n3\n", "1\n2\n"), HasSubstr(s + " has 3 lines but " + t + " has 2"));
  EXPECT_THAT(reason("1\n2\n3\n", "1\n2\n"), HasSubstr("without a partner is " + s + ":3"));
  EXPECT_THAT(reason("1\n", "1\n\n"), HasSubstr("without a partner is " + t + ":2"));
  EXPECT_THAT(reason(gzip("1\n2\n"), "1\n"), HasSubstr("2 lines"));
  EXPECT_THAT(reason("1\r2\n", "1\n2\n"), HasSubstr("has 1 lines"));
  EXPECT_EQ(reason("1\n2\n", "1\n2"), "no error");
}

TEST(ParallelCorpus, BadPathsHaveTheirMessages) {
  testing::TemporaryFolder folder;
  const std::string good = put(folder, "good", "a\n"), empty = put(folder, "empty", "");
  ASSERT_EQ(mkfifo((folder / "fifo").c_str(), 0600), 0);
  std::filesystem::create_hard_link(good, folder / "link");
  const auto reason = [&](const std::string& target) {
    return message_of<DataError>([&] { ParallelCorpus::from_files(good, target); });
  };
  EXPECT_THAT(reason(good), HasSubstr("is both the source and the target"));
  EXPECT_THAT(reason((folder / "link").string()), HasSubstr("is both the source and the target"));
  EXPECT_THAT(reason((folder / "fifo").string()), HasSubstr("is a pipe"));
  EXPECT_THAT(reason(folder.path().string()), HasSubstr("is a folder"));
  EXPECT_THAT(reason(empty), HasSubstr("0 bytes"));
  EXPECT_THAT(reason("-"), HasSubstr("is a pipe"));
  EXPECT_THAT(reason((folder / "absent").string()), HasSubstr("no such file"));
}

TEST(ParallelCorpus, ReadsMulti30k) {
  HEED_NEEDS_SHARED("data/multi30k/train.en.gz");
  const auto corpus = ParallelCorpus::from_files(testing::shared_path("data/multi30k/train.en.gz"),
                                                 testing::shared_path("data/multi30k/train.de.gz"));
  ASSERT_EQ(corpus.size(), 29000u);
  EXPECT_EQ(corpus.pair(0), (TextPair{"Two young, White males are outside near many bushes.",
                                      "Zwei junge weiße Männer sind im Freien in der Nähe vieler Büsche."}));
  EXPECT_EQ(corpus.files()[1].report().invalid_utf8, 0u);
  std::atomic<uint64_t> empty{0};
  std::vector<std::jthread> threads;
  for (uint64_t t = 0; t < 3; ++t)
    threads.emplace_back([&, t] {
      for (uint64_t i = t; i < corpus.size(); i += 3) empty += corpus.pair(i).target.empty();
    });
  threads.clear();
  EXPECT_EQ(empty, corpus.files()[1].report().empty);
}

}  // namespace
}  // namespace heed::data
