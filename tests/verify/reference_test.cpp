// Two folders, or two element types, on text.
#include "heed/verify/verify.h"
#include "models/folders.h"

namespace heed::verify {
namespace {

const std::vector<std::string> kLines{"A dog runs.", "", "Two men are at the stove preparing food."};

TEST(CompareFolders, AModelEqualsItself) {
  HEED_NEEDS_SHARED("models/marian-multi30k-en-de");
  const auto folder = testing::shared_path("models/marian-multi30k-en-de");
  const Report report = compare_folders(folder, folder, kLines, {});
  ASSERT_EQ(report.checks.size(), 2u);
  EXPECT_TRUE(report.passed());
  EXPECT_EQ(report.checks[0].worst()->absolute, 0);
}

TEST(CompareFolders, RoundedWeightsAreOffAndABoundSaysHowMuchMayBe) {
  HEED_NEEDS_SHARED("models/marian-multi30k-en-de");
  const auto folder = testing::shared_path("models/marian-multi30k-en-de");
  const Report strict = compare_folders(folder, folder, kLines, {DType::kBF16, {2e-4, 2e-5}});
  EXPECT_FALSE(strict.passed());
  const double error = strict.checks[0].worst()->absolute;
  EXPECT_GT(error, 1e-3);
  EXPECT_TRUE(compare_folders(folder, folder, kLines, {DType::kBF16, {2 * error, 0}}).passed());
}

}  // namespace
}  // namespace heed::verify
