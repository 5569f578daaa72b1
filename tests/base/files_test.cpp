#include "heed/base/files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "heed/base/error.h"
#include "shared_files.h"

namespace heed {
namespace {

namespace fs = std::filesystem;

TEST(Files, WritesAndReadsBack) {
  testing::TemporaryFolder folder;
  const std::string content("a\0b\n", 4);
  write_file_atomically(folder / "f", content);
  EXPECT_EQ(read_file(folder / "f"), content);
  EXPECT_EQ(MappedFile(folder / "f").text(), content);
  write_file_atomically(folder / "f", "");
  EXPECT_EQ(read_file(folder / "f"), "");
  EXPECT_EQ(MappedFile(folder / "f").size(), 0u);
}

TEST(Files, FailedWriteLeavesNothing) {
  testing::TemporaryFolder folder;
  EXPECT_THROW(write_file_atomically(folder / "missing/f", "x"), IoError);
  fs::create_directory(folder / "taken");
  write_file_atomically(folder / "taken/inside", "x");
  EXPECT_THROW(write_file_atomically(folder / "taken", "x"), IoError);  // a folder stands there
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

TEST(Files, OutputGoesWhereTheNameLeads) {
  testing::TemporaryFolder folder;
  write_output(folder / "f", "one");
  fs::create_symlink("f", folder / "link");
  write_output(folder / "link", "two");
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(read_file(folder / "f"), "two");
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  const int reader = ::open((folder / "pipe").c_str(), O_RDONLY | O_NONBLOCK);
  write_output(folder / "pipe", "three");
  char buffer[16];
  EXPECT_EQ(std::string(buffer, static_cast<size_t>(::read(reader, buffer, sizeof buffer))), "three");
  ::close(reader);
  EXPECT_TRUE(fs::is_fifo(folder / "pipe"));
  EXPECT_THROW(write_output(folder.path(), "x"), IoError);
  EXPECT_THROW(check_output(folder / "missing/f"), IoError);
}

TEST(Files, ErrorsNameThePath) {
  testing::TemporaryFolder folder;
  try {
    read_file(folder / "absent");
    FAIL();
  } catch (const IoError& e) {
    EXPECT_NE(std::string(e.what()).find("absent"), std::string::npos) << e.what();
  }
  EXPECT_THROW(read_file(folder.path()), IoError);
  try {
    write_file_atomically(folder / "missing/f", "x");
    FAIL();
  } catch (const IoError& e) {
    EXPECT_THAT(e.what(), ::testing::StartsWith((folder / "missing/f").string() + ": cannot open"));
  }
}

TEST(Files, FolderIsReplacedWhole) {
  testing::TemporaryFolder folder;
  const auto write = [&](const std::string& name) {
    write_folder_atomically(folder / "model", [&](const fs::path& f) { write_file_atomically(f / name, name); });
  };
  write("one");
  write("two");
  EXPECT_FALSE(fs::exists(folder / "model/one"));
  EXPECT_EQ(read_file(folder / "model/two"), "two");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

TEST(Files, FolderStaysWhenFillingFails) {
  testing::TemporaryFolder folder;
  write_folder_atomically(folder / "model", [&](const fs::path& f) { write_file_atomically(f / "x", "old"); });
  EXPECT_THROW(write_folder_atomically(folder / "model",
                                       [&](const fs::path& f) {
                                         write_file_atomically(f / "x", "new");
                                         throw IoError("disk full");
                                       }),
               IoError);
  EXPECT_EQ(read_file(folder / "model/x"), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

TEST(Files, InterruptedReplacementIsUndone) {
  testing::TemporaryFolder folder;
  fs::create_directory(folder / ".model.old");
  write_file_atomically(folder / ".model.old/x", "old");
  fs::create_directory(folder / ".model.tmp-999999999-0");  // no such process can exist
  fs::create_directory(folder /
                       fmt::format(".model.tmp-{}-abc-0", ::getpid()));  // of an earlier process of this number
  recover_folder(folder / "model/");
  EXPECT_EQ(read_file(folder / "model/x"), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

}  // namespace
}  // namespace heed
