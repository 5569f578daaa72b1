#include "heed/data/text_source.h"

#include <gmock/gmock.h>

#include <fstream>

#include "heed/base/error.h"
#include "shared_files.h"

namespace heed::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TextSourceTest : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  static std::vector<std::string> texts(const TextSource& source) {
    std::vector<std::string> found;
    source.read([&](std::string_view text, const std::string&) { found.emplace_back(text); });
    return found;
  }
  testing::TemporaryFolder folder_;
};

TEST_F(TextSourceTest, OneDocumentIsCutAtACharacter) {
  const TextSource all({write("a.txt", "0123456é89\n")});
  EXPECT_THAT(texts(all), ElementsAre("0123456é89\n"));
  for (const auto& [share, kept] : std::vector<std::pair<double, std::string>>{
           {0.1, "0123456é8"}, {0.2, "0123456é"}, {0.3, "0123456"}, {0.9, "0"}}) {
    const auto [first, rest] = all.split(share);  // of 11 characters: 9.9, 8.8, 7.7, 1.1
    EXPECT_THAT(texts(first), ElementsAre(kept));
    EXPECT_THAT(texts(rest), ElementsAre(std::string("0123456é89\n").substr(kept.size())));
  }
}

TEST_F(TextSourceTest, TheCutCountsOverAllDocuments) {
  const TextSource all({write("a.txt", "abcd\nef\n"), write("b.txt", "ghij\n")}, {.per = DocumentsPer::kLine});
  EXPECT_THAT(texts(all), ElementsAre("abcd", "ef", "ghij"));
  const auto [first, rest] = all.split(0.3);  // 7 of 10 characters stay
  EXPECT_THAT(texts(first), ElementsAre("abcd", "ef", "g"));
  EXPECT_THAT(texts(rest), ElementsAre("hij"));
  const auto [half, other] = all.split(0.4);
  EXPECT_THAT(texts(half), ElementsAre("abcd", "ef"));
  EXPECT_THAT(texts(other), ElementsAre("ghij"));
  EXPECT_NE(first.json(), rest.json());
  EXPECT_NE(first.json(), half.json());
  EXPECT_NE(first.json(), all.json());
  EXPECT_EQ(first.json(), all.split(0.3).first.json());
}

TEST_F(TextSourceTest, SaysWhereThereIsNothing) {
  EXPECT_THROW(texts(TextSource(std::vector<std::filesystem::path>())), UsageError);
  const TextSource one({write("a.txt", "a")});
  EXPECT_THROW(one.split(0), UsageError);
  EXPECT_THROW(one.split(1), UsageError);
  try {
    texts(TextSource({write("two.txt", "ab")}, {.per = DocumentsPer::kLine}).split(0.9).first);
    FAIL() << "no error";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("two.txt: holds no text before what is held out"));
  }
}

}  // namespace
}  // namespace heed::data
