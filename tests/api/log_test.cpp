// What the library says reaches the function that was set, from the level on that was asked for.
#include "heed/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "heed/translator.h"
#include "shared_files.h"

namespace heed {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(Log, TellsOfASentenceThatWasCut) {
  HEED_NEEDS_SHARED("models/marian-multi30k-en-de");
  const Translator translator(testing::shared_path("models/marian-multi30k-en-de"));
  std::string longest;
  for (int i = 0; i < 2000; ++i) longest += "man ";
  TranslateOptions options;
  options.max_new_tokens = 1;
  std::vector<std::pair<LogLevel, std::string>> messages;
  const auto keep = [&](LogLevel level, std::string_view text) { messages.emplace_back(level, text); };

  set_log(keep);
  translator.translate("A short one.", options);
  EXPECT_THAT(messages, IsEmpty());
  translator.translate(longest, options);
  EXPECT_THAT(messages, ElementsAre(Pair(LogLevel::kWarning, HasSubstr("1 of 1 lines were cut"))));

  set_log(keep, LogLevel::kError);
  translator.translate(longest, options);
  EXPECT_EQ(messages.size(), 1u);

  set_log(keep, LogLevel::kDebug);
  translator.translate(longest, options);
  EXPECT_GE(messages.size(), 2u);

  const size_t before = messages.size();
  set_log(nullptr);
  translator.translate(longest, options);
  EXPECT_EQ(messages.size(), before);
}

}  // namespace
}  // namespace heed
