#include "heed/io/output_file.h"

#include <unistd.h>

#include <fstream>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/random.h"
#include "shared_files.h"

namespace heed::io {
namespace {

namespace fs = std::filesystem;

size_t entries(const fs::path& folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder), {}));
}

TEST(OutputFile, WritesPiecesOfAnySizeInOrder) {
  testing::TemporaryFolder folder;
  Random random(1);
  std::string expected;
  OutputFile out(folder / "f");
  for (int i = 0; i < 60; ++i) {
    const std::string piece(random.below(i % 10 == 0 ? 600'000 : 5'000), static_cast<char>('a' + i % 26));
    out.write(piece);
    expected += piece;
  }
  EXPECT_EQ(out.size(), expected.size());
  EXPECT_EQ(out.xxh64(), xxh64(std::as_bytes(std::span(expected))));
  EXPECT_FALSE(fs::exists(folder / "f"));
  out.commit();
  EXPECT_EQ(read_file(folder / "f"), expected);
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(OutputFile, WithoutCommitNothingChanges) {
  testing::TemporaryFolder folder;
  write_file_atomically(folder / "f", "old");
  {
    OutputFile out(folder / "f");
    out.write("new");
  }
  EXPECT_EQ(read_file(folder / "f"), "old");
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(OutputFile, AnEarlierProcessesTemporaryIsNoObstacle) {
  testing::TemporaryFolder folder;
  for (int i = 0; i < 50; ++i) std::ofstream(folder / fmt::format(".f.tmp-{}-{}", ::getpid(), i)) << "stale";
  OutputFile out(folder / "f");
  out.write("new");
  out.commit();
  EXPECT_EQ(read_file(folder / "f"), "new");
}

TEST(OutputFile, FailuresNameTheTargetAndLeaveNothing) {
  testing::TemporaryFolder folder;
  EXPECT_THROW(OutputFile(folder / "absent/f"), IoError);
  fs::create_directories(folder / "taken/inside");
  OutputFile out(folder / "taken");
  out.write("x");
  EXPECT_THROW(out.commit(), IoError);  // a folder stands there
}

}  // namespace
}  // namespace heed::io
