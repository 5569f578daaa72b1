#include <gmock/gmock.h>

#include "heed/base/error.h"
#include "heed/text/tokenizer.h"
#include "shared_files.h"

namespace heed::text {
namespace {

using heed::testing::shared_path;
using heed::testing::TemporaryFolder;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(LoadTokenizer, ReadsAMarianFolder) {
  HEED_NEEDS_SHARED("models/marian-multi30k-en-de");
  const auto tokenizer = load_tokenizer(shared_path("models/marian-multi30k-en-de"));
  EXPECT_EQ(tokenizer->eos_id(), 0);
  EXPECT_EQ(tokenizer->encode("a man"), tokenizer->tokenize("a man").ids);
}

TEST(LoadTokenizer, NamesTheFilesThatItLookedFor) {
  const TemporaryFolder folder;
  EXPECT_THAT([&] { load_tokenizer(folder.path()); },
              ThrowsMessage<FormatError>(HasSubstr("tokenizer.json; or source.spm, target.spm and vocab.json")));
}

}  // namespace
}  // namespace heed::text
