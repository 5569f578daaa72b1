#include "heed/tasks/causal_text.h"

#include <gmock/gmock.h>

#include <fstream>

#include "heed/models/gpt2.h"
#include "shared_files.h"
#include "tasks/byte_tokenizer.h"

namespace heed::tasks {
namespace {

using ::testing::ElementsAre;

class CausalTextTest : public ::testing::Test {
 protected:
  // Documents are lines.
  data::TextSource lines(const std::string& text) const {
    std::ofstream(folder_ / "text.txt") << text;
    return data::TextSource({folder_ / "text.txt"}, {.per = data::DocumentsPer::kLine});
  }

  CausalText by_document(const std::string& text, bool end_token, uint32_t block = 4) const {
    return {lines(text), tokenizer_, {.packed = false, .end_token = end_token, .block = block}};
  }

  // "what goes in>what is predicted" of each row; '.' is the end token.
  static std::vector<std::string> rows_of(const CausalText& text, uint64_t epoch = 0) {
    std::vector<std::string> rows;
    for (uint32_t i = 0; i < text.size(); ++i) {
      models::TextBatch batch;
      std::vector<int32_t> wanted;
      text.append(epoch, i, batch, wanted);
      EXPECT_EQ(batch.ids.tokens(), static_cast<int64_t>(wanted.size()));
      std::string row;
      for (const int32_t id : batch.ids.ids) row.push_back(static_cast<char>(id == 0 ? '.' : id));
      row.push_back('>');
      for (const int32_t id : wanted) row.push_back(static_cast<char>(id == 0 ? '.' : id));
      rows.push_back(row);
    }
    return rows;
  }

  testing::TemporaryFolder folder_;
  testing::ByteTokenizer tokenizer_;
};

TEST_F(CausalTextTest, EachDocumentIsARowThatItsEndTokenEnds) {
  const auto text = by_document("abc\nd\nefgh\n", true);
  EXPECT_THAT(rows_of(text), ElementsAre("abc>bc.", "d>.", "efgh>fgh."));
  EXPECT_EQ(rows_of(text, 5), rows_of(text));
  EXPECT_THAT(text.lengths(), ElementsAre(3, 1, 4));
  EXPECT_EQ(text.describe(), "3 rows of documents");
}

TEST_F(CausalTextTest, ALongDocumentGoesOnInTheNextRow) {
  EXPECT_THAT(rows_of(by_document("abcdefghi\nxy\n", true)), ElementsAre("abcd>bcde", "efgh>fghi", "i>.", "xy>y."));
}

TEST_F(CausalTextTest, WithoutEndTokensWhatPredictsNothingIsLeftOutAndCounted) {
  const auto text = by_document("abcde\nx\nyz\n", false);
  EXPECT_THAT(rows_of(text), ElementsAre("abcd>bcde", "y>z"));
  EXPECT_EQ(text.describe(), "2 rows of documents, 2 of one token left out");
  EXPECT_THROW(by_document("a\nb\n", false), DataError);
}

TEST_F(CausalTextTest, PackedRowsAreBlocksOfTheStream) {
  const CausalText text(lines("abc\nd\nefgh\n"), tokenizer_, {.block = 3, .seed = 2});
  EXPECT_EQ(text.size(), 3u);
  EXPECT_EQ(text.describe(), "3 blocks of 3");
  std::string predicted;
  for (const std::string& row : rows_of(text)) predicted += row.substr(row.find('>') + 1);
  std::ranges::sort(predicted);
  EXPECT_EQ(predicted, "..bcdefgh");
}

TEST_F(CausalTextTest, PerplexityByDocumentIsTheMeanOverTheDocumentsAlone) {
  const models::Gpt2Model model({.d_model = 16,
                                 .num_layers = 1,
                                 .num_heads = 2,
                                 .ffn = 32,
                                 .vocab_size = 256,
                                 .max_positions = 8,
                                 .initializer_range = 0.5},
                                {}, 3);
  const auto text = by_document("abcdefg\nxyz\nno\n", true, 8);
  const std::vector<std::vector<int32_t>> sequences{
      {'a', 'b', 'c', 'd', 'e', 'f', 'g', 0}, {'x', 'y', 'z', 0}, {'n', 'o', 0}};
  const auto expected = perplexity(model, sequences, {});
  for (const int64_t batch_tokens : {1, 8, 4096}) {
    const auto found = text.perplexity(model, {.batch_tokens = batch_tokens}).value();
    EXPECT_NEAR(found.nll, expected.nll, 1e-4);
    EXPECT_EQ(found.tokens, 12);
    EXPECT_EQ(found.windows, 3);
  }
  EXPECT_FALSE(text.perplexity(model, {.batch_tokens = 1}, [] { return true; }));
  EXPECT_THROW(text.perplexity(model, {.stride = 2}), UsageError);
  EXPECT_THROW(by_document("abc\n", true, 9).perplexity(model, {}), UsageError);
}

}  // namespace
}  // namespace heed::tasks
