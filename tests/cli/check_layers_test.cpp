// tools/check_layers on this tree, and on small ones that break the table.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/run_program.h"
#include "heed/base/files.h"
#include "shared_files.h"

namespace heed::cli {
namespace {

using ::testing::HasSubstr;

class CheckLayers : public ::testing::Test {
 protected:
  // Writes the file `name` of the tree.
  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((folder_ / name).parent_path());
    write_file_atomically(folder_ / name, text);
  }
  heed::testing::ProgramResult check(const std::string& root) {
    return heed::testing::run_process(heed::testing::source_path("tools/check_layers").string(), {root});
  }
  // Expects the tree written so far to be refused with this line.
  void expect_refused(const std::string& line) {
    const auto result = check(folder_.path());
    EXPECT_EQ(result.exit_code, 1) << result.error;
    EXPECT_EQ(result.output, line + "\n");
  }
  heed::testing::TemporaryFolder folder_;
};

TEST_F(CheckLayers, ThisTreePasses) {
  const auto result = check(heed::testing::source_path("").string());
  EXPECT_EQ(result.exit_code, 0) << result.output << result.error;
}

TEST_F(CheckLayers, WhatStandsInTheRowAndBelowIsAllowed) {
  write("src/heed/models/a.cpp",
        "#include <vector>\n#include \"heed/nn/x.h\"\n#include \"heed/base/y.h\"\n#include \"heed/models/z.h\"\n");
  write("src/heed/tensor/backends.cpp", "#include \"heed/cpu/cpu_backend.h\"\n");
  write("include/heed/heed.h", "#include \"heed/error.h\"\n#include <string>\n");
  write("src/heed/api/a.cpp", "#include \"heed/heed.h\"\n#include \"heed/train/x.h\"\n");
  const auto result = check(folder_.path());
  EXPECT_EQ(result.exit_code, 0) << result.output << result.error;
}

TEST_F(CheckLayers, UpwardIsNot) {
  write("src/heed/core/shape.h", "#pragma once\n\n  #  include <heed/tensor/tensor.h>\n");
  expect_refused("src/heed/core/shape.h:3: core must not include tensor");
}

TEST_F(CheckLayers, SidewardIsNot) {
  write("src/heed/metrics/bleu.cpp", "#include \"heed/text/bpe.h\"\n");
  expect_refused("src/heed/metrics/bleu.cpp:1: metrics must not include text");
}

TEST_F(CheckLayers, OnlyTheTableOfBackendsKnowsTheCpu) {
  write("src/heed/tensor/tensor.cpp", "#include \"heed/cpu/cpu_backend.h\"\n");
  expect_refused("src/heed/tensor/tensor.cpp:1: tensor must not include cpu");
}

TEST_F(CheckLayers, NothingIncludesCuda) {
  write("src/heed/ops/linear.cpp", "#include \"heed/cuda/gemm.h\"\n");
  expect_refused("src/heed/ops/linear.cpp:1: ops must not include cuda");
}

TEST_F(CheckLayers, EveryFolderHasARow) {
  write("src/heed/misc/a.cpp", "#include \"heed/base/error.h\"\n");
  expect_refused("src/heed/misc/a.cpp:1: the folder misc is in no row of the table");
}

TEST_F(CheckLayers, APublicHeaderIncludesNoFolder) {
  write("include/heed/heed.h", "#include \"heed/base/error.h\"\n");
  expect_refused("include/heed/heed.h:1: a public header must not include base");
}

TEST_F(CheckLayers, IncludesBeginWithHeed) {
  write("src/heed/base/a.cpp", "#include \"../core/shape.h\"\n#include \"error.h\"\n");
  expect_refused(
      "src/heed/base/a.cpp:1: \"../core/shape.h\" is relative; write it from \"heed/\"\n"
      "src/heed/base/a.cpp:2: \"error.h\" is relative; write it from \"heed/\"");
}

TEST_F(CheckLayers, ACircleIsShown) {
  write("src/heed/nn/a.h", "#include \"heed/models/b.h\"\n");
  write("src/heed/models/b.h", "#include \"heed/nn/a.h\"\n");
  const auto result = check(folder_.path());
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.output, HasSubstr("src/heed/nn/a.h:1: nn must not include models\n"));
  EXPECT_THAT(result.output, ::testing::AnyOf(HasSubstr("in a circle: nn -> models -> nn\n"),
                                              HasSubstr("in a circle: models -> nn -> models\n")));
}

TEST_F(CheckLayers, AnEmptyTreeIsAMistake) {
  std::filesystem::create_directories(folder_ / "src/heed");
  EXPECT_EQ(check(folder_.path()).exit_code, 2);
}

}  // namespace
}  // namespace heed::cli
