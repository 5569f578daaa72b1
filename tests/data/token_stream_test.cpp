#include "heed/data/token_stream.h"

#include <gmock/gmock.h>

#include <fstream>

#include "heed/base/files.h"
#include "message_of.h"
#include "shared_files.h"

namespace heed::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<int32_t> all_of(const TokenStream& stream) {
  std::vector<int32_t> ids;
  stream.append_to(ids, 0, stream.size());
  return ids;
}

TEST(TokenStream, GivesBackWhatWasWrittenInMemoryAndInFiles) {
  const testing::TemporaryFolder folder;
  for (const int32_t vocab : {300, 65536, 65537, 200000})
    for (const bool in_file : {false, true}) {
      TokenWriter writer = in_file ? TokenWriter(vocab, folder / "t.tokens") : TokenWriter(vocab);
      const std::vector<int32_t> first{0, 5, vocab - 1}, second{255, 256};
      writer.append(first);
      writer.append({});
      writer.append(second);
      EXPECT_EQ(writer.size(), 5u);
      const TokenStream stream = writer.finish({2, 17}, {{"why", "a test"}});
      EXPECT_THAT(all_of(stream), ElementsAre(0, 5, vocab - 1, 255, 256));
      EXPECT_EQ(stream.counts(), (TextCounts{2, 17}));
      std::vector<int32_t> ids{7};
      stream.append_to(ids, 2, 4);
      EXPECT_THAT(ids, ElementsAre(7, vocab - 1, 255));
      EXPECT_THROW(stream.append_to(ids, 4, 6), UsageError);
      if (!in_file) continue;
      const TokenStream again = TokenStream::open(folder / "t.tokens");
      EXPECT_EQ(all_of(again), all_of(stream));
      EXPECT_EQ(again.counts(), (TextCounts{2, 17}));
      EXPECT_EQ(again.of(), (Json{{"why", "a test"}}));
      const size_t width = vocab <= 65536 ? 2 : 4;
      EXPECT_EQ(read_file(folder / "t.tokens").substr(0, 5 * width).size(), 5 * width);
      EXPECT_EQ(read_file(folder / "t.tokens")[width], 5);  // the second id's low byte
    }
}

TEST(TokenStream, IsThereOnlyOnceItIsWhole) {
  const testing::TemporaryFolder folder;
  {
    TokenWriter writer(100, folder / "t.tokens");
    writer.append(std::vector<int32_t>{1, 2});
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "t.tokens"));
}

TEST(TokenStream, RefusesWhatIsNoTokenFileOrNotWhole) {
  const testing::TemporaryFolder folder;
  TokenWriter writer(100, folder / "t.tokens");
  writer.append(std::vector<int32_t>{1, 2, 3});
  writer.finish({1, 3});
  const std::string good = read_file(folder / "t.tokens");
  const auto reason = [&](const std::string& bytes) {
    std::ofstream(folder / "bad", std::ios::binary) << bytes;
    return testing::message_of<FormatError>([&] { TokenStream::open(folder / "bad"); });
  };
  EXPECT_EQ(reason(good), "no error");
  EXPECT_THAT(reason(""), HasSubstr("bad: is no token file, or not whole"));
  EXPECT_THAT(reason(good.substr(0, good.size() - 1)), HasSubstr("not whole"));
  EXPECT_THAT(reason(good.substr(2)), HasSubstr("3 tokens of 2 bytes"));
  EXPECT_THAT(reason(std::string(8, '\xff') + "heedtok1"), HasSubstr("longer than the file"));
  EXPECT_THAT(reason("{}" + std::string("\2\0\0\0\0\0\0\0", 8) + "heedtok1"), HasSubstr("expected \"width\""));
}

TEST(TokenWriter, RefusesIdsOutsideTheVocabulary) {
  TokenWriter writer(100);
  EXPECT_THROW(writer.append(std::vector<int32_t>{100}), DataError);
  EXPECT_THROW(writer.append(std::vector<int32_t>{-1}), DataError);
}

}  // namespace
}  // namespace heed::data
