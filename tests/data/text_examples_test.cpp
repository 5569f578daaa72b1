#include "heed/data/text_examples.h"

#include <gmock/gmock.h>

#include <set>

#include "heed/base/error.h"

namespace heed::data {
namespace {

TokenStream stream_of(const std::vector<int32_t>& ids) {
  TokenWriter writer(100);
  writer.append(ids);
  return writer.finish({});
}

std::vector<std::vector<int32_t>> texts(const TokenStream& stream, const TextExamples& examples, uint64_t epoch) {
  std::vector<std::vector<int32_t>> texts;
  for (size_t i = 0; i < examples.size(); ++i)
    for (const auto& part : examples.parts(epoch, i)) stream.append_to(texts.emplace_back(), part.begin, part.end);
  return texts;
}

TEST(TextExamples, ByDocumentEachHasItsOwnAndLongOnesHaveSeveral) {
  const TokenStream stream = stream_of({1, 2, 9, 3, 4, 5, 6, 7, 9, 9, 8});
  const auto examples = TextExamples::by_document(stream, 2, 9);
  const std::vector<std::vector<int32_t>> expected{{1, 2}, {3, 4}, {5, 6}, {7}, {8}};
  EXPECT_EQ(texts(stream, examples, 0), expected);
  EXPECT_EQ(texts(stream, examples, 1), expected);
  EXPECT_THAT(examples.lengths(), ::testing::ElementsAre(2, 2, 2, 1, 1));
  EXPECT_THROW(TextExamples::by_document(stream_of({9, 9}), 2, 9), DataError);
}

TEST(TextExamples, ByDocumentReadsLongStreamsInPieces) {
  std::vector<int32_t> ids(200000, 1);
  for (size_t i = 6; i < ids.size(); i += 7) ids[i] = 9;
  const auto examples = TextExamples::by_document(stream_of(ids), 10, 9);
  EXPECT_EQ(examples.size(), (200000u + 6) / 7);
  for (size_t i = 0; i + 1 < examples.size(); ++i)
    ASSERT_EQ(examples.parts(0, i).at(0), (TextExamples::Part{7 * i, 7 * i + 6}));
}

TEST(TextExamples, PackedOnesHoldEveryTokenOnceInEachEpoch) {
  std::vector<int32_t> ids(53);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i);
  const TokenStream stream = stream_of(ids);
  const auto examples = TextExamples::packed(stream, 8, 1);
  EXPECT_EQ(examples.size(), 7u);
  EXPECT_THAT(examples.lengths(), ::testing::Each(8u));
  for (uint64_t epoch = 0; epoch < 4; ++epoch) {
    std::vector<int32_t> all;
    for (const auto& text : texts(stream, examples, epoch)) {
      EXPECT_LE(text.size(), 8u);
      all.insert(all.end(), text.begin(), text.end());
    }
    EXPECT_THAT(all, ::testing::UnorderedElementsAreArray(ids));
  }
  std::set<std::vector<std::vector<int32_t>>> cuts;
  for (uint64_t epoch = 0; epoch < 8; ++epoch) cuts.insert(texts(stream, examples, epoch));
  EXPECT_GT(cuts.size(), 3u);  // of 8 places to begin at
  EXPECT_EQ(TextExamples::packed(stream_of({5}), 8, 1).size(), 1u);
  EXPECT_THROW(TextExamples::packed(stream_of({}), 8, 1), DataError);
}

}  // namespace
}  // namespace heed::data
